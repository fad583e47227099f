import pytest
from django.db import transaction

from palette_portal.tenants import audit
from palette_portal.tenants.models import AuditRow, Project, Tenant, User
from palette_portal.tenants.roles import Role
from tests.factories import amelia, bao, carla, make_project, make_tenant, make_user


def write(by: User, *, tenant: Tenant | None = None, project: Project | None = None) -> AuditRow:
    return audit.record(
        by=by,
        action="create",
        obj_kind="cluster",
        obj_id=7,
        obj_name="web",
        tenant=tenant or make_tenant(),
        project=project,
        size=3,
        roles=["a", "b"],
    )


@pytest.mark.django_db
def test_row_tells_who_did_what() -> None:
    user = amelia()

    row = write(user)

    row.refresh_from_db()
    assert (row.user, row.deed, row.kind, row.object_id, row.object_name) == (
        user,
        "Create",
        "cluster",
        "7",
        "web",
    )
    assert row.detail_lines == [("size", "3"), ("roles", "a, b")]


@pytest.mark.django_db(transaction=True)
def test_row_outside_a_transaction_is_refused() -> None:
    user = amelia()

    with pytest.raises(RuntimeError, match="transaction"):
        write(user)

    assert not AuditRow.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_row_disappears_with_the_deed() -> None:
    user = amelia()

    with pytest.raises(ValueError, match="later"), transaction.atomic():
        write(user)
        raise ValueError("something fails later in the deed")

    assert not AuditRow.objects.exists()


@pytest.mark.django_db
def test_rows_are_seen_by_those_who_may() -> None:
    admin, stranger, editor = amelia(), carla(), bao()
    support = make_user("dora", Role.SUPPORT)
    payments, platform = make_project(), make_project(name="platform")
    lead = make_user("egon", Role.PROJECT_ADMIN, project=payments)
    of_tenant, of_payments, of_platform = (
        write(admin),
        write(admin, project=payments),
        write(admin, project=platform),
    )

    def seen(user: User) -> set[AuditRow]:
        return set(AuditRow.objects.visible_to(user))

    assert seen(admin) == seen(support) == {of_tenant, of_payments, of_platform}
    assert seen(lead) == {of_payments}
    assert seen(editor) == seen(stranger) == set()
