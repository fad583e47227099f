"""Who may do what. `check` raises Denied with a sentence for the page, `can` answers yes or no."""

from palette_portal.tenants.models import Project, User
from palette_portal.tenants.roles import PERMISSIONS, TENANT_ROLES, Permission, Role, roles_with

__all__ = [
    "Denied",
    "Permission",
    "Role",
    "can",
    "can_somewhere",
    "check",
    "check_somewhere",
    "reason_against",
    "reason_against_somewhere",
]


class Denied(Exception):
    """This person may not do this; `reason` is the sentence that the page shows."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def check(user: User, permission: Permission, *, project: Project | None = None) -> None:
    """Raise Denied unless the user holds the permission in the project, or in the whole tenant."""
    if not user.is_active:
        raise Denied("This account is deactivated.")
    if project is not None and project.tenant_id != user.tenant_id:
        raise Denied("This project belongs to another tenant.")
    roles = set(user.tenant_roles)
    if project is not None and project.pk in user.project_roles:
        roles.add(user.project_roles[project.pk])
    if not any(permission in PERMISSIONS[role] for role in roles):
        raise Denied(_sentence(permission, in_project=project is not None))


def can(user: User, permission: Permission, *, project: Project | None = None) -> bool:
    return reason_against(user, permission, project=project) == ""


def reason_against(user: User, permission: Permission, *, project: Project | None = None) -> str:
    """The sentence for a disabled button, empty if the user may."""
    try:
        check(user, permission, project=project)
    except Denied as denied:
        return denied.reason
    return ""


def check_somewhere(user: User, permission: Permission) -> None:
    """Raise Denied unless the user holds the permission in the tenant or in any of its projects."""
    if not user.is_active:
        raise Denied("This account is deactivated.")
    held = user.tenant_roles | set(user.project_roles.values())
    if not any(permission in PERMISSIONS[role] for role in held):
        raise Denied(_sentence(permission, in_project=True))


def can_somewhere(user: User, permission: Permission) -> bool:
    return reason_against_somewhere(user, permission) == ""


def reason_against_somewhere(user: User, permission: Permission) -> str:
    """As `reason_against`, of somebody who may it nowhere."""
    try:
        check_somewhere(user, permission)
    except Denied as denied:
        return denied.reason
    return ""


def _sentence(permission: Permission, *, in_project: bool) -> str:
    roles = [role.label for role in roles_with(permission) if in_project or role in TENANT_ROLES]
    named = roles[0] if len(roles) == 1 else f"{', '.join(roles[:-1])} or {roles[-1]}"
    return f"You need the role {named} to {permission.value}."
