"""Who may open the wizard, when, by which method, and how much it asks of the database."""

from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from gateways.models import PrivateCloudGateway
from gateways.states import GatewayState
from palette_portal.tenants.models import User
from palette_portal.tenants.roles import Role
from tests.factories import bao, carla, make_gateway, make_user
from tests.integration.gateways.configure.walk import HTMX, POOL, Walk, text_of

PAGES = ("vcenter", "placement", "addresses", "summary")
PATHS = ("", *(f"{page}/" for page in PAGES), "placement/fields/", "addresses/fields/")


def path(gateway: PrivateCloudGateway, rest: str) -> str:
    return f"/gateways/{gateway.pk}/configure/{rest}"


@pytest.mark.django_db
@pytest.mark.parametrize("rest", PATHS)
def test_wizard_of_another_tenant_is_not_found(client: Client, rest: str) -> None:
    client.force_login(carla())

    assert client.get(path(make_gateway(), rest)).status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize("rest", PATHS)
def test_wizard_for_a_wrong_role_is_denied(client: Client, rest: str) -> None:
    gateway = make_gateway()
    for user in (bao(), make_user("dara", Role.SUPPORT)):
        client.force_login(user)

        assert client.get(path(gateway, rest)).status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("who", [carla, bao])
def test_confirm_by_a_stranger_or_a_wrong_role_is_refused(client: Client, who: type[User]) -> None:
    client.force_login(who())

    response = client.post(path(make_gateway(), "summary/confirm/"))

    assert response.status_code == (404 if who is carla else 403)


@pytest.mark.django_db
@pytest.mark.parametrize("rest", PATHS)
def test_wizard_without_signing_in_leads_to_it(client: Client, rest: str) -> None:
    response = client.get(path(make_gateway(), rest))

    assert response.status_code == 302
    assert response.url.startswith("/account/login/")


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("post", ""),
        ("put", "vcenter/"),
        ("delete", "placement/"),
        ("post", "placement/fields/"),
        ("post", "addresses/fields/"),
        ("get", "summary/confirm/"),
    ],
)
def test_wizard_by_a_wrong_method_is_refused(walk: Walk, method: str, rest: str) -> None:
    assert getattr(walk.client, method)(path(walk.gateway, rest)).status_code == 405


def test_summary_sent_as_a_form_is_refused(walk: Walk) -> None:
    walk.to_summary()

    assert walk.post("summary", {}).status_code == 405


def test_wizard_of_an_unknown_gateway_or_page_is_not_found(walk: Walk) -> None:
    assert walk.client.get(f"/gateways/{uuid4()}/configure/").status_code == 404
    assert walk.client.get(path(walk.gateway, "colour/")).status_code == 404


@pytest.mark.parametrize("rest", PATHS)
def test_wizard_before_the_installer_registered_says_what_to_do(walk: Walk, rest: str) -> None:
    waiting = make_gateway(registered=False)

    response = walk.client.get(path(waiting, rest))

    assert response.status_code == 409
    assert "The installer has not registered yet" in text_of(response)


def test_wizard_of_a_running_gateway_says_why_not(walk: Walk) -> None:
    running = make_gateway(state=GatewayState.RUNNING)

    assert "only a Pending gateway can be configured" in text_of(walk.client.get(path(running, "vcenter/")))


@pytest.mark.parametrize("page", ["placement", "addresses", "summary"])
def test_later_page_opened_directly_leads_to_the_first_incomplete_one(walk: Walk, page: str) -> None:
    response = walk.client.get(walk.url(page), follow=True)

    assert response.redirect_chain == [(walk.url("vcenter"), 302)]
    assert "First complete the page vCenter." in text_of(response)


def test_page_four_opened_directly_works_once_the_others_are_complete(walk: Walk) -> None:
    walk.to_summary()

    page = text_of(walk.get("summary"))

    assert "Confirm" in page
    for earlier in ("vcenter", "placement", "addresses"):
        assert page.count(f'href="{walk.url(earlier)}"') >= 2, "in the rail and as Edit"


def test_start_of_the_wizard_leads_to_where_it_was_left(walk: Walk) -> None:
    walk.to_addresses()

    response = walk.client.get(reverse("gateways:configure", args=[walk.gateway.pk]))

    assert response.url == walk.url("addresses")


def test_parts_of_a_page_not_reached_yet_lead_back(walk: Walk) -> None:
    for part in ("placement", "addresses"):
        assert walk.fields(part, {})["HX-Redirect"] == walk.url("vcenter")


@pytest.mark.parametrize("page", PAGES)
def test_page_and_part_are_the_same_but_for_the_shell(walk: Walk, page: str) -> None:
    walk.to_summary()

    whole, part = walk.get(page), walk.get(page, headers=HTMX)

    assert "<html" in text_of(whole) and "<html" not in text_of(part)
    assert f'id="configure-{page}"' in text_of(whole) and f'id="configure-{page}"' in text_of(part)
    assert "HX-Request" in part["Vary"]


@pytest.mark.parametrize(
    ("page", "queries"), [("vcenter", 9), ("placement", 9), ("addresses", 10), ("summary", 9)]
)
def test_page_asks_the_database_little(
    walk: Walk, page: str, queries: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    walk.to_summary()

    with django_assert_max_num_queries(queries):
        walk.get(page)


def test_pages_are_never_cached(walk: Walk) -> None:
    assert "no-store" in walk.get("vcenter")["Cache-Control"]


def test_wrong_page_sent_out_of_order_changes_nothing(walk: Walk) -> None:
    response = walk.post("addresses", POOL)

    assert response.url == walk.url("vcenter")
    assert not PrivateCloudGateway.objects.filter(draft__isnull=False).exists()
