from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clusters.profiles import actions
from clusters.profiles.diffs import differences
from clusters.profiles.forms import TENANT, CloneForm, NewVersionForm
from clusters.profiles.models import ProfileVersion
from clusters.profiles.pages import state_of
from clusters.profiles.variables import read_variables
from clusters.profiles.versions import next_minor
from clusters.profiles.views.loading import (
    chosen_project,
    crumbs,
    get_version_for_change,
    get_version_or_404,
    url_of,
)
from palette_portal.http import Conflict
from palette_portal.tenants.permissions import Permission, check_somewhere
from palette_portal.tenants.requests import signed_in


@require_POST
@login_required
def version_publish(request: HttpRequest, profile_id: UUID, version: str) -> HttpResponse:
    draft = get_version_for_change(request, profile_id, version)
    actions.publish_version(version=draft, by=signed_in(request))
    messages.success(request, f"{draft} is published.")
    return redirect(url_of(draft))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def version_new(request: HttpRequest, profile_id: UUID, version: str) -> HttpResponse:
    original = get_version_for_change(request, profile_id, version)
    newest = original.profile.versions.order_by("-rank").first()
    assert newest is not None
    form = NewVersionForm(request.POST or None, initial={"version": next_minor(newest.version)})
    if form.is_valid():
        try:
            made = actions.new_version(
                of=original, version=form.cleaned_data["version"], by=signed_in(request)
            )
        except Conflict as conflict:
            form.add_error("version", conflict.reason)
        else:
            messages.success(request, f"{made} is a draft that begins as a copy of {original.version}.")
            return redirect(url_of(made))
    return _form_page(request, form, original, title="Create version", word="New version")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def version_clone(request: HttpRequest, profile_id: UUID, version: str) -> HttpResponse:
    original = get_version_or_404(request, profile_id, version)
    user = signed_in(request)
    check_somewhere(user, Permission.MANAGE_CLUSTER_PROFILES)
    project = chosen_project(request)
    initial = {
        "name": f"{original.profile.name} copy"[:63],
        "version": "1.0.0",
        "scope": str(project.pk) if project else TENANT,
    }
    form = CloneForm(request.POST or None, user=user, initial=initial)
    if form.is_valid():
        try:
            made = actions.clone_profile(
                version=original,
                project=form.project,
                name=form.cleaned_data["name"],
                new_version=form.cleaned_data["version"],
                by=user,
            )
        except Conflict as conflict:
            form.add_error("name", conflict.reason)
        else:
            messages.success(request, f"{made} was created as a copy of {original}.")
            return redirect(url_of(made))
    return _form_page(request, form, original, title="Clone profile", word="Clone")


@require_POST
@login_required
def version_delete(request: HttpRequest, profile_id: UUID, version: str) -> HttpResponse:
    found = get_version_for_change(request, profile_id, version)
    actions.delete_version(version=found, by=signed_in(request))
    messages.success(request, f"Version {version} was deleted.")
    return redirect("profiles:detail", profile_id=profile_id)


@require_safe
@login_required
def version_export(request: HttpRequest, profile_id: UUID, version: str) -> HttpResponse:
    found = get_version_or_404(request, profile_id, version)
    name = f"{slugify(found.profile.name) or 'profile'}-{found.version}.yaml"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(
        actions.export_version(found), content_type="application/yaml; charset=utf-8", headers=headers
    )


@require_safe
@login_required
def version_compare(request: HttpRequest, profile_id: UUID, version: str) -> HttpResponse:
    """With the version in the query, else with the one before it."""
    new = get_version_or_404(request, profile_id, version)
    others = list(new.profile.versions.exclude(pk=new.pk))
    wanted = request.GET.get("with", "")
    if wanted:
        old: ProfileVersion | None = get_object_or_404(new.profile.versions, version=wanted)
    else:
        old = next((found for found in others if found.rank < new.rank), None)
    context = {
        "version": new,
        "old": old,
        "others": [(found, state_of(found)) for found in others],
        "differences": _differences(old, new) if old else [],
        "crumbs": crumbs("Compare", version=new),
    }
    return render(request, "profiles/version_compare.html", context)


def _differences(old: ProfileVersion, new: ProfileVersion) -> list[Any]:
    return differences(
        list(old.layers.all()),
        list(new.layers.all()),
        old_variables=read_variables(old.variables),
        new_variables=read_variables(new.variables),
    )


def _form_page(
    request: HttpRequest, form: CloneForm | NewVersionForm, version: ProfileVersion, *, title: str, word: str
) -> HttpResponse:
    context = {
        "form": form,
        "title": title,
        "version": version,
        "back": url_of(version),
        "crumbs": crumbs(word, version=version),
    }
    status = 422 if form.errors else 200
    return render(request, "profiles/version_form.html", context, status=status)
