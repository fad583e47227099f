import pytest
from django.db import IntegrityError

from palette_portal.tenants.models import AuditRow, Membership, Project, Tenant, User
from palette_portal.tenants.permissions import Permission
from palette_portal.tenants.roles import Role
from tests.factories import amelia, bao, carla, make_project, make_tenant, make_user

pytestmark = pytest.mark.django_db


def test_email_is_unique_whatever_its_case() -> None:
    amelia()

    with pytest.raises(IntegrityError, match="user_email_unique"):
        User.objects.create(email="AMELIA@acme-industrial.test", tenant=make_tenant())


def test_email_is_stored_in_lower_case() -> None:
    assert User.objects.create_user("Bao@ACME.test", tenant=make_tenant()).email == "bao@acme.test"


def test_user_needs_a_tenant() -> None:
    with pytest.raises(IntegrityError, match="user_has_tenant_unless_superuser"):
        User.objects.create_user("nobody@acme.test")


def test_superuser_needs_no_tenant() -> None:
    root = User.objects.create_superuser("root@portal.test", "a long password")

    assert (root.tenant, root.is_staff, root.standing) == (None, True, "Active")


@pytest.mark.parametrize(
    ("name", "slug"), [("payments", "other"), ("PAYMENTS", "other"), ("other", "payments")]
)
def test_project_name_and_slug_are_unique_in_the_tenant(name: str, slug: str) -> None:
    project = make_project(name="payments")

    with pytest.raises(IntegrityError, match="unique_in_tenant"):
        Project.objects.create(tenant=project.tenant, name=name, slug=slug)


def test_project_name_is_free_in_another_tenant() -> None:
    make_project(name="payments")

    assert make_project(make_tenant("Borealis"), "payments").pk


@pytest.mark.parametrize(
    ("role", "in_project"), [(Role.TENANT_ADMIN, True), (Role.SUPPORT, True), (Role.PROJECT_EDITOR, False)]
)
def test_role_fits_its_scope(role: Role, in_project: bool) -> None:
    user = User.objects.create_user("dora@acme.test", tenant=make_tenant())

    with pytest.raises(IntegrityError, match="membership_role_fits_scope"):
        Membership.objects.create(
            user=user, tenant=make_tenant(), project=make_project() if in_project else None, role=role
        )


def test_one_role_per_project() -> None:
    user = bao()

    with pytest.raises(IntegrityError, match="membership_one_role_per_project"):
        make_user_role(user, Role.PROJECT_VIEWER, make_project())


def test_one_role_per_tenant() -> None:
    user = amelia()

    with pytest.raises(IntegrityError, match="membership_one_role_per_tenant"):
        make_user_role(user, Role.SUPPORT, None)


def make_user_role(user: User, role: Role, project: Project | None) -> Membership:
    return Membership.objects.create(user=user, tenant=make_tenant(), project=project, role=role)


def test_tenant_roles_see_every_project_of_their_tenant() -> None:
    payments, platform = make_project(), make_project(name="platform")
    make_project(make_tenant("Borealis"), "foreign")

    assert list(Project.objects.visible_to(amelia())) == [payments, platform]
    assert list(Project.objects.visible_to(make_user("dora", Role.SUPPORT))) == [payments, platform]


def test_project_roles_see_their_projects() -> None:
    make_project(name="platform")

    assert [project.name for project in Project.objects.visible_to(bao())] == ["payments"]


def test_projects_where_a_permission_is_held() -> None:
    user = bao()
    make_user_role(user, Role.PROJECT_VIEWER, make_project(name="platform"))

    held = Project.objects.where(user, Permission.DEPLOY_CLUSTERS)

    assert [project.name for project in held] == ["payments"]
    assert list(Project.objects.where(carla(), Permission.DEPLOY_CLUSTERS)) == []


def test_people_of_another_tenant_are_invisible() -> None:
    stranger, user = carla(), amelia()

    assert list(User.objects.visible_to(user)) == [user]
    assert list(Tenant.objects.visible_to(stranger)) == [stranger.tenant]
    assert list(Membership.objects.visible_to(user)) == list(user.memberships.all())


def test_superuser_sees_nothing_of_any_tenant() -> None:
    root = User.objects.create_superuser("root@portal.test")
    amelia()

    assert not User.objects.visible_to(root).exists()
    assert not Tenant.objects.visible_to(root).exists()
    assert not AuditRow.objects.visible_to(root).exists()


def test_standing_of_a_person() -> None:
    invited = User.objects.create_user("dora@acme.test", tenant=make_tenant())
    gone = User.objects.create_user(
        "egon@acme.test", "a long password", tenant=make_tenant(), is_active=False
    )

    assert (invited.standing, gone.standing, amelia().standing) == ("Invited", "Deactivated", "Active")


@pytest.mark.parametrize(
    ("full_name", "initials"), [("Rosa Lindqvist", "RL"), ("Bao", "B"), ("Ana de la Cruz", "AC"), ("", "R")]
)
def test_initials_of_a_person(full_name: str, initials: str) -> None:
    assert User(full_name=full_name, email="rosa@acme.test").initials == initials
