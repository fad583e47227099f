import pytest
from django.test import Client

from palette_portal.tenants.models import User
from tests.factories import PASSWORD, amelia

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
