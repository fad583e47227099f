from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clusters.profiles import actions
from clusters.profiles.exchange import WrongFile
from clusters.profiles.forms import TENANT, EditForm, ImportForm, ProfileForm
from clusters.profiles.models import ClusterProfile, ProfileType
from clusters.profiles.pages import detail_context, list_rows
from clusters.profiles.views.loading import (
    change_denied,
    chosen_project,
    crumbs,
    get_profile_for_change,
    get_profile_or_404,
    get_version_or_404,
    tenant_of,
    url_of,
)
from clusters.profiles.yaml_text import Problem
from palette_portal.http import Conflict, page_of
from palette_portal.tenants.permissions import Permission, check_somewhere, reason_against_somewhere
from palette_portal.tenants.requests import signed_in


@require_safe
@login_required
def profile_list(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    check_somewhere(user, Permission.VIEW_CLUSTER_PROFILES)
    profiles = ClusterProfile.objects.visible_to(user).select_related("project")
    page = page_of(request, profiles)
    context = {
        "page": page,
        "rows": list_rows(page),
        "create_denied": reason_against_somewhere(user, Permission.MANAGE_CLUSTER_PROFILES),
        "crumbs": crumbs(),
    }
    return render(request, "profiles/profile_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def profile_create(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    check_somewhere(user, Permission.MANAGE_CLUSTER_PROFILES)
    initial = {"version": "1.0.0", "type": ProfileType.FULL, "scope": _scope(request)}
    form = ProfileForm(request.POST or None, user=user, initial=initial)
    if form.is_valid():
        values = form.cleaned_data
        try:
            version = actions.create_profile(
                tenant=tenant_of(user),
                project=form.project,
                name=values["name"],
                type=ProfileType(values["type"]),
                version=values["version"],
                description=values["description"],
                by=user,
            )
        except Conflict as conflict:
            form.add_error("name", conflict.reason)
        else:
            messages.success(request, f"{version} was created as a draft.")
            return redirect(url_of(version))
    context = {"form": form, "title": "Create profile", "crumbs": crumbs("Create profile")}
    return render(request, "profiles/profile_form.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def profile_import(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    check_somewhere(user, Permission.MANAGE_CLUSTER_PROFILES)
    form = ImportForm(
        request.POST or None, request.FILES or None, user=user, initial={"scope": _scope(request)}
    )
    problems: list[Problem] = []
    if form.is_valid():
        try:
            version = actions.import_profile(
                text=form.content,
                tenant=tenant_of(user),
                project=form.project,
                name=form.cleaned_data["name"],
                by=user,
            )
        except WrongFile as wrong:
            problems = wrong.problems
        except Conflict as conflict:
            form.add_error("name", conflict.reason)
        else:
            messages.success(request, f"{version} was imported as a draft.")
            return redirect(url_of(version))
    context = {
        "form": form,
        "problems": problems,
        "text": form.content if form.is_bound else "",
        "crumbs": crumbs("Import profile"),
    }
    status = 422 if form.errors or problems else 200
    return render(request, "profiles/profile_import.html", context, status=status)


@require_safe
@login_required
def profile_detail(request: HttpRequest, profile_id: UUID, version: str = "") -> HttpResponse:
    """Of the version that the address names, else of the newest."""
    if version:
        found = get_version_or_404(request, profile_id, version)
    else:
        profile = get_profile_or_404(request, profile_id)
        found = get_object_or_404(profile.versions.order_by("-rank")[:1])
        found.profile = profile
    user = signed_in(request)
    context = {
        **detail_context(found, user),
        "change_denied": change_denied(user, found.profile),
        "create_denied": reason_against_somewhere(user, Permission.MANAGE_CLUSTER_PROFILES),
        "crumbs": crumbs(version=found),
    }
    return render(request, "profiles/profile_detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def profile_edit(request: HttpRequest, profile_id: UUID) -> HttpResponse:
    profile = get_profile_for_change(request, profile_id)
    title = f"Edit {profile.name}"
    form = EditForm(request.POST or None, profile=profile)
    if form.is_valid():
        try:
            actions.change_profile(profile=profile, by=signed_in(request), **form.cleaned_data)
        except Conflict as conflict:
            form.add_error("name", conflict.reason)
        else:
            messages.success(request, f"Profile {profile.name} was changed.")
            return redirect("profiles:detail", profile_id=profile.pk)
    context = {"form": form, "title": title, "profile": profile, "crumbs": crumbs("Edit", profile=profile)}
    return render(request, "profiles/profile_form.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def profile_delete(request: HttpRequest, profile_id: UUID) -> HttpResponse:
    profile = get_profile_for_change(request, profile_id)
    if request.POST.get("confirm", "").strip() != profile.name:
        raise Conflict(f"The profile was not deleted: type {profile.name} to confirm.")
    actions.delete_profile(profile=profile, by=signed_in(request))
    messages.success(request, f"Profile {profile.name} was deleted.")
    return redirect("profiles:list")


def _scope(request: HttpRequest) -> str:
    project = chosen_project(request)
    return str(project.pk) if project else TENANT
