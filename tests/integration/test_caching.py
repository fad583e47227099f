"""Who may keep a copy of an answer."""

import pytest
from django.test import Client
from django.urls import reverse

from palette_portal.tenants.models import User
from tests.factories import amelia, carla, make_cluster

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(client: Client) -> Client:
    client.force_login(amelia())
    return client


@pytest.mark.parametrize("name", ["home", "gateways:list", "clusters:list", "tenants:users", "tenants:audit"])
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["page", "part"])
def test_answer_for_a_signed_in_person_is_not_kept(
    client: Client, name: str, headers: dict[str, str]
) -> None:
    response = client.get(reverse(name), headers=headers)

    assert response["Cache-Control"] == "private, no-store"


def test_answer_that_refuses_is_not_kept(client: Client) -> None:
    hidden = make_cluster()
    client.force_login(carla())

    response = client.get(reverse("clusters:detail", args=[hidden.pk]))

    assert response.status_code == 404
    assert response["Cache-Control"] == "private, no-store"


def test_answer_with_a_rule_of_its_own_keeps_it(client: Client) -> None:
    user = User.objects.get()

    response = client.get(reverse("tenants:user-roles", args=[user.pk]))

    assert "no-store" in response["Cache-Control"]
    assert "must-revalidate" in response["Cache-Control"]


def test_static_file_may_be_kept(client: Client) -> None:
    response = client.get("/static/css/base.css")

    assert response.status_code == 200
    assert "no-store" not in response["Cache-Control"]


def test_what_is_not_a_page_has_no_such_rule(client: Client) -> None:
    response = client.get("/health/ready")

    assert "Cache-Control" not in response
