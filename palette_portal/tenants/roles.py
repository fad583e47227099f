"""Roles as data: which role holds which permission. `permissions.py` asks, nothing else decides."""

from enum import Enum

from django.db.models import TextChoices


class Role(TextChoices):
    TENANT_ADMIN = "tenant-admin", "Tenant Admin"
    PROJECT_ADMIN = "project-admin", "Project Admin"
    PROJECT_EDITOR = "project-editor", "Project Editor"
    PROJECT_VIEWER = "project-viewer", "Project Viewer"
    SUPPORT = "support", "Support"


# Held in the tenant as a whole; all other roles are held in one project.
TENANT_ROLES = (Role.TENANT_ADMIN, Role.SUPPORT)
PROJECT_ROLES = (Role.PROJECT_ADMIN, Role.PROJECT_EDITOR, Role.PROJECT_VIEWER)


class Permission(Enum):
    """The value completes the sentence "You need the role ... to"."""

    VIEW_GATEWAYS = "see private cloud gateways"
    MANAGE_GATEWAYS = "manage private cloud gateways"
    VIEW_IP_POOLS = "see IP pools"
    MANAGE_IP_POOLS = "manage IP pools"
    VIEW_CLOUD_ACCOUNTS = "see cloud accounts"
    MANAGE_CLOUD_ACCOUNTS = "manage cloud accounts"
    VIEW_CLUSTERS = "see clusters"
    DEPLOY_CLUSTERS = "deploy clusters"
    EDIT_CLUSTERS = "change clusters"
    DELETE_CLUSTERS = "delete clusters"
    FORCE_DELETE_CLUSTERS = "force the deletion of clusters"
    DOWNLOAD_KUBECONFIG = "download kubeconfig files"
    VIEW_CLUSTER_PROFILES = "see cluster profiles"
    MANAGE_CLUSTER_PROFILES = "manage cluster profiles"
    VIEW_EVENTS = "see events"
    VIEW_AUDIT = "see the audit log"
    MANAGE_USERS = "manage users"
    MANAGE_PROJECTS = "manage projects"


_VIEWER = frozenset({Permission.VIEW_CLUSTERS, Permission.VIEW_CLUSTER_PROFILES, Permission.VIEW_EVENTS})
_EDITOR = _VIEWER | {
    Permission.VIEW_IP_POOLS,
    Permission.VIEW_CLOUD_ACCOUNTS,
    Permission.DEPLOY_CLUSTERS,
    Permission.EDIT_CLUSTERS,
    Permission.DELETE_CLUSTERS,
}
_SUPPORT = _VIEWER | {
    Permission.VIEW_GATEWAYS,
    Permission.VIEW_IP_POOLS,
    Permission.VIEW_CLOUD_ACCOUNTS,
    Permission.VIEW_AUDIT,
}

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.TENANT_ADMIN: frozenset(Permission),
    Role.PROJECT_ADMIN: _EDITOR
    | {
        Permission.DOWNLOAD_KUBECONFIG,
        Permission.MANAGE_CLOUD_ACCOUNTS,
        Permission.MANAGE_CLUSTER_PROFILES,
        Permission.FORCE_DELETE_CLUSTERS,
        Permission.VIEW_AUDIT,
    },
    Role.PROJECT_EDITOR: _EDITOR,
    Role.PROJECT_VIEWER: _VIEWER,
    Role.SUPPORT: _SUPPORT,
}


def roles_with(permission: Permission) -> tuple[Role, ...]:
    return tuple(role for role in Role if permission in PERMISSIONS[role])
