import pytest
from django.test import Client

from palette_portal.tenants.models import AuditRow, Project, User
from tests.factories import PASSWORD, amelia, make_project, make_tenant

pytestmark = pytest.mark.django_db


def make_operator() -> User:
    return User.objects.create_superuser("op@portal.test", PASSWORD, full_name="Op")


def test_admin_has_no_sign_in_of_its_own(client: Client) -> None:
    operator = make_operator()

    client.post("/django-admin/login/", {"username": operator.email, "password": PASSWORD})

    assert "_auth_user_id" not in client.session
    assert client.get("/django-admin/", follow=True).redirect_chain[-1][0].startswith("/account/login/")


def test_admin_is_open_to_the_operator_who_signed_in(client: Client) -> None:
    client.force_login(make_operator())

    assert client.get("/django-admin/").status_code == 200


def test_admin_is_closed_to_people_of_tenants(client: Client) -> None:
    client.force_login(amelia())

    assert client.get("/django-admin/", follow=True).status_code == 403


def test_what_an_operator_changes_stands_in_the_audit_log_of_the_tenant(client: Client) -> None:
    operator, project = make_operator(), make_project()
    client.force_login(operator)
    address = f"/django-admin/tenants/project/{project.pk}"
    values = {"tenant": str(project.tenant_id), "slug": "renamed"}

    client.post(f"{address}/change/", {**values, "name": "renamed"})
    client.post(f"{address}/delete/", {"post": "yes"})

    rows = AuditRow.objects.order_by("id").values_list("tenant", "user", "action", "object_name")
    assert list(rows) == [
        (project.tenant_id, operator.pk, "change", "renamed"),
        (project.tenant_id, operator.pk, "delete", "renamed"),
    ]
    assert not Project.objects.exists()


def test_operator_without_a_tenant_leaves_no_audit_row(client: Client) -> None:
    make_tenant()
    operator = make_operator()
    client.force_login(operator)
    none = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    values = {"email": operator.email, "full_name": "Olga", "is_superuser": "on", "is_staff": "on"}

    client.post(f"/django-admin/tenants/user/{operator.pk}/change/", {**values, "is_active": "on", **none})

    operator.refresh_from_db()
    assert operator.full_name == "Olga"
    assert not AuditRow.objects.exists()
