from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from palette_portal.http import page_of
from palette_portal.tenants import actions, invitations
from palette_portal.tenants.forms import InvitationForm, ProjectForm, RolesForm
from palette_portal.tenants.models import Project, User
from palette_portal.tenants.permissions import Permission, check
from palette_portal.tenants.requests import PortalRequest


@require_POST
@login_required
def scope_switch(request: PortalRequest) -> HttpResponse:
    wanted = request.POST.get("project", "")
    if wanted:
        project = get_object_or_404(Project.objects.visible_to(request.user), pk=_uuid(wanted))
        request.session["project"] = str(project.pk)
    else:
        request.session.pop("project", None)
    return redirect("home")


@require_GET
@login_required
def projects(request: PortalRequest) -> HttpResponse:
    check(request.user, Permission.MANAGE_PROJECTS)
    rows = Project.objects.visible_to(request.user).with_member_counts()
    return _page(request, "tenants/projects.html", [("Projects", "")], projects=rows)


@require_http_methods(["GET", "POST"])
@login_required
def project_create(request: PortalRequest) -> HttpResponse:
    check(request.user, Permission.MANAGE_PROJECTS)
    assert request.tenant is not None
    form = ProjectForm(request.POST or None, tenant=request.tenant)
    if form.is_valid():
        with _taken_at_field(form):
            project = actions.create_project(
                tenant=request.tenant, name=form.cleaned_data["name"], by=request.user
            )
            messages.success(request, f"Project {project.name} was created.")
            return redirect("tenants:projects")
    return _form_page(request, form, "Create project", [("Projects", reverse("tenants:projects"))])


@require_http_methods(["GET", "POST"])
@login_required
def project_rename(request: PortalRequest, pk: UUID) -> HttpResponse:
    check(request.user, Permission.MANAGE_PROJECTS)
    project = get_object_or_404(Project.objects.visible_to(request.user), pk=pk)
    form = ProjectForm(request.POST or None, tenant=project.tenant, project=project)
    if form.is_valid():
        with _taken_at_field(form):
            actions.rename_project(project=project, name=form.cleaned_data["name"], by=request.user)
            messages.success(request, f"The project is called {project.name} now.")
            return redirect("tenants:projects")
    return _form_page(request, form, "Rename project", [("Projects", reverse("tenants:projects"))])


@require_GET
@login_required
def users(request: PortalRequest) -> HttpResponse:
    check(request.user, Permission.MANAGE_USERS)
    rows = User.objects.visible_to(request.user).with_roles()
    return _page(request, "tenants/users.html", [("Users", "")], page=page_of(request, rows))


@require_http_methods(["GET", "POST"])
@login_required
def user_invite(request: PortalRequest) -> HttpResponse:
    check(request.user, Permission.MANAGE_USERS)
    assert request.tenant is not None
    form = InvitationForm(request.POST or None, tenant=request.tenant)
    if form.is_valid():
        with _taken_at_field(form):
            user = actions.invite_user(
                tenant=request.tenant,
                email=form.cleaned_data["email"],
                full_name=form.cleaned_data["full_name"],
                roles=form.roles(),
                by=request.user,
            )
            messages.success(request, f"{user.full_name} was invited.")
            return redirect("tenants:user-roles", pk=user.pk)
    crumbs = [("Users", reverse("tenants:users")), ("Invite user", "")]
    return _page(request, "tenants/user_invite.html", crumbs, form=form)


@never_cache
@require_http_methods(["GET", "POST"])
@login_required
def user_roles(request: PortalRequest, pk: int) -> HttpResponse:
    """For an invited person it holds the link that sets the first password."""
    person = get_person_for_edit(request, pk)
    assert request.tenant is not None
    form = RolesForm(request.POST or None, tenant=request.tenant, user=person)
    if form.is_valid():
        actions.change_roles(user=person, roles=form.roles(), by=request.user)
        messages.success(request, f"The roles of {person.full_name} were changed.")
        return redirect("tenants:users")
    link = invitations.link(person) if invitations.is_pending(person) and person.is_active else ""
    crumbs = [("Users", reverse("tenants:users")), (person.full_name, "")]
    return _page(request, "tenants/user_roles.html", crumbs, form=form, person=person, link=link)


@require_POST
@login_required
def user_deactivate(request: PortalRequest, pk: int) -> HttpResponse:
    person = get_person_for_edit(request, pk)
    actions.deactivate_user(user=person, by=request.user)
    messages.success(request, f"{person.full_name} cannot sign in any more.")
    return redirect("tenants:users")


@require_POST
@login_required
def user_activate(request: PortalRequest, pk: int) -> HttpResponse:
    person = get_person_for_edit(request, pk)
    actions.activate_user(user=person, by=request.user)
    messages.success(request, f"{person.full_name} can sign in again.")
    return redirect("tenants:users")


def get_person_for_edit(request: PortalRequest, pk: int) -> User:
    check(request.user, Permission.MANAGE_USERS)
    return get_object_or_404(User.objects.visible_to(request.user), pk=pk)


@contextmanager
def _taken_at_field(form: Form) -> Iterator[None]:
    try:
        yield
    except actions.Taken as taken:
        form.add_error(taken.field, taken.reason)


def _form_page(request: HttpRequest, form: Any, title: str, crumbs: list[tuple[str, str]]) -> HttpResponse:
    back = crumbs[-1][1]
    return _page(request, "tenants/form.html", [*crumbs, (title, "")], form=form, title=title, back=back)


def _page(request: HttpRequest, template: str, crumbs: list[tuple[str, str]], **context: Any) -> HttpResponse:
    """A form that came back with errors answers 422, as everywhere."""
    form = context.get("form")
    status = 422 if form is not None and form.is_bound else 200
    crumbs = [("Tenant Settings", ""), *crumbs]
    return render(request, template, {**context, "crumbs": crumbs}, status=status)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
