import pytest
from django.core import mail
from pytest_django import DjangoCaptureOnCommitCallbacks

from palette_portal.http import Conflict
from palette_portal.tenants import actions
from palette_portal.tenants.models import AuditRow, Project, User
from palette_portal.tenants.permissions import Denied
from palette_portal.tenants.roles import Role
from tests.factories import amelia, bao, make_project, make_tenant, make_user

pytestmark = pytest.mark.django_db


def roles_of(user: User) -> dict[str, str]:
    return {str(held.project or "tenant"): held.role for held in user.memberships.select_related("project")}


def test_project_gets_a_free_slug() -> None:
    admin = amelia()

    made = [
        actions.create_project(tenant=make_tenant(), name=name, by=admin).slug
        for name in ("Team A", "Team a!", "Team-A?", "日本")
    ]

    assert made == ["team-a", "team-a-2", "team-a-3", "project"]


def test_project_is_created_and_audited() -> None:
    admin = amelia()

    project = actions.create_project(tenant=make_tenant(), name="payments", by=admin)

    row = AuditRow.objects.get()
    assert (row.action, row.object_name, row.project, row.user) == ("create", "payments", project, admin)


def test_project_renamed_keeps_its_slug() -> None:
    project = make_project(name="payments")

    actions.rename_project(project=project, name="Billing", by=amelia())

    project.refresh_from_db()
    assert (project.name, project.slug) == ("Billing", "payments")
    assert AuditRow.objects.get().detail == {"before": "payments"}


def test_invited_person_gets_a_link_and_no_password(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    project = make_project()

    with django_capture_on_commit_callbacks(execute=True):
        user = actions.invite_user(
            tenant=make_tenant(),
            email="Dora@Acme.test",
            full_name="Dora",
            roles={project.pk: Role.PROJECT_VIEWER},
            by=amelia(),
        )

    assert not user.has_usable_password()
    assert roles_of(user) == {"payments": Role.PROJECT_VIEWER}
    assert mail.outbox[0].to == ["dora@acme.test"]
    assert "/account/password/reset/key/" in mail.outbox[0].body
    assert AuditRow.objects.get().detail == {"roles": ["Project Viewer in payments"]}


def test_changed_roles_replace_the_old_ones() -> None:
    user = bao()

    actions.change_roles(user=user, roles={None: Role.SUPPORT}, by=amelia())

    assert roles_of(user) == {"tenant": Role.SUPPORT}
    assert AuditRow.objects.get().detail == {
        "before": ["Project Editor in payments"],
        "roles": ["Support"],
    }


def test_last_tenant_admin_keeps_the_role() -> None:
    admin = amelia()

    with pytest.raises(Conflict, match="needs an active Tenant Admin"):
        actions.change_roles(user=admin, roles={None: Role.SUPPORT}, by=admin)

    assert roles_of(admin) == {"tenant": Role.TENANT_ADMIN}
    assert not AuditRow.objects.exists()


def test_deactivated_admin_does_not_count_as_the_last() -> None:
    admin, other = amelia(), make_user("dora", Role.TENANT_ADMIN)
    actions.deactivate_user(user=other, by=admin)

    with pytest.raises(Conflict, match="needs an active Tenant Admin"):
        actions.change_roles(user=admin, roles={None: Role.SUPPORT}, by=admin)


def test_deactivating_oneself_is_refused() -> None:
    admin = amelia()

    with pytest.raises(Conflict, match="your own account"):
        actions.deactivate_user(user=admin, by=admin)

    admin.refresh_from_db()
    assert admin.is_active


def test_deactivated_person_can_be_activated_again() -> None:
    admin, user = amelia(), bao()

    actions.deactivate_user(user=user, by=admin)
    actions.activate_user(user=user, by=admin)

    user.refresh_from_db()
    assert user.is_active
    assert [row.action for row in AuditRow.objects.order_by("id")] == ["deactivate", "activate"]


def test_only_tenant_admins_manage_people_and_projects() -> None:
    user = bao()
    support = make_user("dora", Role.SUPPORT)

    for by in (user, support):
        with pytest.raises(Denied):
            actions.create_project(tenant=make_tenant(), name="mine", by=by)
        with pytest.raises(Denied):
            actions.change_roles(user=by, roles={None: Role.TENANT_ADMIN}, by=by)
        with pytest.raises(Denied):
            actions.deactivate_user(user=user, by=by)

    assert not Project.objects.filter(name="mine").exists()
