from uuid import uuid4

import pytest

from palette_portal.tenants.models import Membership, Project, Tenant, User
from palette_portal.tenants.permissions import (
    Denied,
    Permission,
    Role,
    can,
    can_somewhere,
    check,
    check_somewhere,
    reason_against,
)
from palette_portal.tenants.roles import PROJECT_ROLES, TENANT_ROLES

# Written by hand, as the product promises it; the code's table is not asked.
READ_ONLY = {"VIEW_CLUSTERS", "VIEW_CLUSTER_PROFILES", "VIEW_EVENTS"}
DEPLOYERS = READ_ONLY | {
    "VIEW_IP_POOLS",
    "VIEW_CLOUD_ACCOUNTS",
    "DEPLOY_CLUSTERS",
    "EDIT_CLUSTERS",
    "DELETE_CLUSTERS",
}
PROMISED = {
    Role.TENANT_ADMIN: {permission.name for permission in Permission},
    Role.PROJECT_ADMIN: DEPLOYERS
    | {
        "DOWNLOAD_KUBECONFIG",
        "FORCE_DELETE_CLUSTERS",
        "MANAGE_CLOUD_ACCOUNTS",
        "MANAGE_CLUSTER_PROFILES",
        "VIEW_AUDIT",
    },
    Role.PROJECT_EDITOR: DEPLOYERS,
    Role.PROJECT_VIEWER: READ_ONLY,
    Role.SUPPORT: READ_ONLY | {"VIEW_GATEWAYS", "VIEW_IP_POOLS", "VIEW_CLOUD_ACCOUNTS", "VIEW_AUDIT"},
}
TABLE = [(role, permission) for role in Role for permission in Permission]

ACME = Tenant(name="Acme Industrial", slug="acme")
PAYMENTS = Project(tenant=ACME, name="payments")
PLATFORM = Project(tenant=ACME, name="platform")


def person(*held: tuple[Role, Project | None], is_active: bool = True) -> User:
    user = User(pk=1, email="bao@acme.test", tenant=ACME, is_active=is_active)
    user.held_roles = tuple(
        Membership(user=user, tenant=ACME, project=project, role=role) for role, project in held
    )
    return user


@pytest.mark.parametrize(("role", "permission"), TABLE)
def test_permission_of_each_role_in_its_scope(role: Role, permission: Permission) -> None:
    in_project = role in PROJECT_ROLES
    user = person((role, PAYMENTS if in_project else None))

    assert can(user, permission, project=PAYMENTS) is (permission.name in PROMISED[role])
    assert can_somewhere(user, permission) is (permission.name in PROMISED[role])


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("role", PROJECT_ROLES)
def test_project_role_gives_nothing_elsewhere(role: Role, permission: Permission) -> None:
    user = person((role, PAYMENTS))

    assert not can(user, permission, project=PLATFORM)
    assert not can(user, permission)


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("role", TENANT_ROLES)
def test_tenant_role_ends_at_the_tenant(role: Role, permission: Permission) -> None:
    user = person((role, None))
    foreign = Project(tenant=Tenant(id=uuid4(), name="Borealis"), name="payments")

    assert not can(user, permission, project=foreign)


def test_reason_names_the_roles_that_would_do() -> None:
    user = person((Role.PROJECT_VIEWER, PAYMENTS))

    assert reason_against(user, Permission.MANAGE_GATEWAYS) == (
        "You need the role Tenant Admin to manage private cloud gateways."
    )
    assert reason_against(user, Permission.FORCE_DELETE_CLUSTERS, project=PAYMENTS) == (
        "You need the role Tenant Admin or Project Admin to force the deletion of clusters."
    )


def test_reason_is_empty_where_the_person_may() -> None:
    assert reason_against(person((Role.TENANT_ADMIN, None)), Permission.MANAGE_USERS) == ""


@pytest.mark.parametrize("ask", [check, check_somewhere])
def test_deactivated_person_may_nothing(ask) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Denied, match="deactivated"):
        ask(person((Role.TENANT_ADMIN, None), is_active=False), Permission.VIEW_CLUSTERS)


def test_superuser_without_tenant_may_nothing_in_the_portal() -> None:
    root = User(pk=2, email="root@portal.test", is_superuser=True)
    root.held_roles = ()

    assert not any(can_somewhere(root, permission) for permission in Permission)
