"""What the pages of IP pools say about promises, and to whom."""

import pytest

from tests.factories import (
    amelia,
    bao,
    make_cluster,
    make_gateway,
    make_machine_pool,
    make_pool,
    make_project,
)
from tests.integration.ippools.asking import claim
from tests.integration.ippools.test_pages import path, typed

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client):
    user = amelia()
    client.force_login(user)
    return user


def test_list_asks_for_all_promises_at_once(client, admin, django_assert_max_num_queries):
    gateway, project = make_gateway(), make_project()
    for number in range(4):
        pool = make_pool(gateway, start=f"10.10.{number}.20", end=f"10.10.{number}.40")
        cluster = make_cluster(gateway, name=f"shop-{number}", state="Running", project=project)
        make_machine_pool(cluster, ip_pool=pool)

    with django_assert_max_num_queries(8):
        page = client.get(path("list")).content.decode()

    assert page.count("21 free (3 of them promised) of 21") == 4
    assert page.count("free, 3 of them promised") == 4


def test_detail_says_what_is_promised_to_whom(client):
    pool = make_pool()
    seen = make_cluster(pool.gateway, name="shop", state="Running", project=make_project())
    hidden = make_cluster(pool.gateway, name="secret", state="Running", project=make_project(name="secret"))
    for cluster in (seen, hidden):
        make_machine_pool(cluster, ip_pool=pool)
    claim(pool, cluster_id=seen.pk)
    client.force_login(bao())

    answer = client.get(path("detail", pool))

    found = [(row and row.name, promise.count) for promise, row in answer.context["promises"]]
    assert found == [("shop", 2), (None, 3)]
    page = answer.content.decode()
    assert "1 for nodes, 1 for the virtual IP and 1 extra" in page
    assert "<b>5</b> free, but promised to clusters" in page
    assert "<b>15</b> free for any cluster" in page
    assert "secret" not in page


def test_detail_of_a_pool_without_promises_does_not_speak_of_them(client, admin):
    page = client.get(path("detail", make_pool())).content.decode()

    assert "romised" not in page
    assert "<b>21</b> free</li>" in page


def test_pool_made_smaller_than_promised_says_what_is_missing(client, admin):
    pool = make_pool(name="nodes")
    make_machine_pool(make_cluster(pool.gateway, state="Running"), ip_pool=pool, size=3)
    assert "5 more are promised" in client.get(path("edit", pool)).content.decode()

    page = client.post(path("edit", pool), typed(end="10.10.183.22"), follow=True).content.decode()

    assert "IP pool nodes was changed." in page
    assert "2 addresses are missing for what was promised" in page
    assert "Clusters may still need 5, and the pool has 3 free." in page
