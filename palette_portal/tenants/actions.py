"""What Tenant Admins do with people and projects. Each deed and its audit row are one transaction."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from palette_portal.http import Conflict
from palette_portal.tenants import audit, invitations
from palette_portal.tenants.models import (
    EMAIL_TAKEN,
    PROJECT_NAME_TAKEN,
    Membership,
    Project,
    Tenant,
    User,
)
from palette_portal.tenants.permissions import Permission, check
from palette_portal.tenants.roles import Role

# None stands for the tenant as a whole.
Roles = Mapping[UUID | None, Role]


class Taken(Conflict):
    """Somebody else took it after the form was checked; `field` is where another one is entered."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


@transaction.atomic
def create_project(*, tenant: Tenant, name: str, by: User) -> Project:
    check(by, Permission.MANAGE_PROJECTS)
    _lock_project_names(tenant.pk, name)
    project = Project.objects.create(tenant=tenant, name=name, slug=_free_slug(tenant, name))
    _record_project(project, "create", by)
    return project


@transaction.atomic
def rename_project(*, project: Project, name: str, by: User) -> None:
    """The slug stays: it is in links and in the names of things."""
    check(by, Permission.MANAGE_PROJECTS)
    _lock_project_names(project.tenant_id, name, renamed=project)
    before, project.name = project.name, name
    project.save(update_fields=["name"])
    _record_project(project, "rename", by, before=before)


@transaction.atomic
def invite_user(*, tenant: Tenant, email: str, full_name: str, roles: Roles, by: User) -> User:
    """Make an account without a password; the mail's link lets its owner choose one."""
    check(by, Permission.MANAGE_USERS)
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, full_name=full_name, tenant=tenant)
    except IntegrityError as error:
        raise Taken("email", EMAIL_TAKEN) from error
    _store_roles(user, roles)
    _record_user(user, "invite", by, roles=_words(user))
    transaction.on_commit(lambda: invitations.send(user, invited_by=by))
    return user


@transaction.atomic
def change_roles(*, user: User, roles: Roles, by: User) -> None:
    check(by, Permission.MANAGE_USERS)
    _lock_people(user)
    before = _words(user)
    user.memberships.all().delete()
    _store_roles(user, roles)
    _check_admin_remains(user)
    _record_user(user, "change-roles", by, before=before, roles=_words(user))


@transaction.atomic
def deactivate_user(*, user: User, by: User) -> None:
    """Their sessions end with the next request; what they did stays in the audit log."""
    check(by, Permission.MANAGE_USERS)
    if user.pk == by.pk:
        raise Conflict("You cannot deactivate your own account.")
    _lock_people(user)
    user.is_active = False
    user.save(update_fields=["is_active"])
    _check_admin_remains(user)
    _record_user(user, "deactivate", by)


@transaction.atomic
def activate_user(*, user: User, by: User) -> None:
    check(by, Permission.MANAGE_USERS)
    user.is_active = True
    user.save(update_fields=["is_active"])
    _record_user(user, "activate", by)


def _lock_project_names(tenant_id: UUID, name: str, *, renamed: Project | None = None) -> None:
    """Names and slugs of a tenant's projects are chosen one after the other. Raise Taken."""
    Tenant.objects.select_for_update(no_key=True).get(pk=tenant_id)
    others = Project.objects.filter(tenant_id=tenant_id, name__iexact=name)
    if (others.exclude(pk=renamed.pk) if renamed else others).exists():
        raise Taken("name", PROJECT_NAME_TAKEN)


def _free_slug(tenant: Tenant, name: str) -> str:
    wanted = slugify(name)[:55] or "project"
    taken = set(Project.objects.filter(tenant=tenant, slug__startswith=wanted).values_list("slug", flat=True))
    numbered = (f"{wanted}-{number}" for number in range(2, len(taken) + 3))
    return next(slug for slug in (wanted, *numbered) if slug not in taken)


def _store_roles(user: User, roles: Roles) -> None:
    Membership.objects.bulk_create(
        Membership(tenant_id=user.own_tenant_id, user=user, project_id=project, role=role)
        for project, role in roles.items()
    )


def _lock_people(user: User) -> None:
    """Two admins must not take each other's role away at the same moment."""
    Tenant.objects.select_for_update().get(pk=user.own_tenant_id)


def _check_admin_remains(user: User) -> None:
    admins = Membership.objects.filter(
        tenant_id=user.own_tenant_id, role=Role.TENANT_ADMIN, user__is_active=True
    )
    if not admins.exists():
        raise Conflict("A tenant needs an active Tenant Admin. Give the role to somebody else first.")


def _words(user: User) -> list[str]:
    return [str(held) for held in user.memberships.select_related("project")]


def _record_project(project: Project, action: str, by: User, **detail: Any) -> None:
    audit.record(
        by=by,
        action=action,
        obj_kind="project",
        obj_id=project.pk,
        obj_name=project.name,
        tenant=project.tenant,
        project=project,
        **detail,
    )


def _record_user(user: User, action: str, by: User, **detail: Any) -> None:
    assert user.tenant is not None
    audit.record(
        by=by,
        action=action,
        obj_kind="user",
        obj_id=user.pk,
        obj_name=user.email,
        tenant=user.tenant,
        **detail,
    )
