"""Long lists come in pages of 50, each with a URL of its own."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from palette_portal.tenants.models import Membership, User
from palette_portal.tenants.roles import Role
from tests.factories import amelia, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> User:
    user = amelia()
    client.force_login(user)
    return user


def more_people(admin: User, count: int) -> None:
    people = User.objects.bulk_create(
        User(email=f"p{n}@acme.test", full_name=f"Person {n:03}", tenant=admin.tenant) for n in range(count)
    )
    Membership.objects.bulk_create(
        Membership(user=user, tenant=admin.tenant, role=Role.SUPPORT) for user in people
    )


def rows_of(client: Client, url: str) -> list[str]:
    return re.findall(r'class="lead"><a href="([^"]+)"', client.get(url).content.decode())


def queries_of(client: Client, url: str) -> int:
    client.get(url)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


def test_users_come_in_pages_that_miss_and_repeat_none(client: Client, admin: User) -> None:
    more_people(admin, 59)
    url = reverse("tenants:users")

    pages = [rows_of(client, f"{url}?page={number}") for number in (1, 2)]

    assert [len(page) for page in pages] == [50, 10]
    assert len({row for page in pages for row in page}) == 60


def test_page_says_where_it_is_and_links_its_neighbours(client: Client, admin: User) -> None:
    more_people(admin, 119)

    page = client.get(reverse("tenants:users"), {"page": 2}).content.decode()

    assert "51 to 100 of 120" in page
    assert 'href="?page=1">Previous' in page and 'href="?page=3">Next' in page


@pytest.mark.parametrize("number", ["", "0", "x", "99", "-1"])
def test_page_that_does_not_exist_is_the_nearest(client: Client, admin: User, number: str) -> None:
    response = client.get(reverse("tenants:users"), {"page": number})

    assert response.status_code == 200
    assert admin.email in response.content.decode()
    assert "Pages of" not in response.content.decode()


def test_pages_need_the_same_queries_for_many_rows(client: Client, admin: User) -> None:
    make_user("dora", Role.SUPPORT)
    few = queries_of(client, reverse("tenants:users"))
    more_people(admin, 70)

    assert queries_of(client, reverse("tenants:users")) == few
