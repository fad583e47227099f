"""The pages of IP pools: who sees and changes what, and what comes back at which field."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from clusters.models import Cluster
from gateways.actions.system import ensure_system_gateway
from ippools.models import IPPool, WaitingCluster
from palette_portal.tenants.roles import Role
from tests.factories import (
    amelia,
    bao,
    carla,
    make_cluster,
    make_gateway,
    make_pool,
    make_project,
    make_user,
)
from tests.integration.ippools.asking import claim

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client):
    user = amelia()
    client.force_login(user)
    return user


def path(name, pool=None):
    return reverse(f"ippools:{name}", args=[pool.pk] if pool else [])


def typed(gateway=None, **changes):
    values = {
        "name": "nodes",
        "network_type": "range",
        "start": "10.10.183.20",
        "end": "10.10.183.40",
        "subnet_prefix": "24",
        "gateway_address": "10.10.183.1",
        "name_servers": "10.10.0.2, 10.10.0.3",
        **changes,
    }
    return {**values, "gateway": str(gateway.pk)} if gateway else values


def test_list_shows_pools_by_gateway_with_their_usage(client, admin):
    pool = make_pool(make_gateway(name="dc-east"), name="nodes", excluded=["10.10.183.30"])
    for _ in range(3):
        claim(pool)

    page = client.get(path("list")).content.decode()

    assert page.index("dc-east") < page.index("nodes</a>")
    assert "3 used, 0 resting, 1 reserved, 17 free of 21" in page


def test_list_shows_pools_of_the_system_gateway_last(client, admin):
    make_pool(ensure_system_gateway(admin.tenant), name="portal-pool")
    make_pool(make_gateway(name="dc-west"), name="west-pool")

    page = client.get(path("list")).content.decode()

    assert page.index("west-pool") < page.index("portal-pool")


def test_list_asks_once_for_all_pools(client, admin, django_assert_max_num_queries):
    gateway = make_gateway()
    for number in range(8):
        claim(make_pool(gateway, start=f"10.10.{number}.20", end=f"10.10.{number}.40"))

    with django_assert_max_num_queries(8):
        client.get(path("list"))


def test_list_without_pools_says_what_to_do(client, admin):
    assert "No IP pool yet" in client.get(path("list")).content.decode()


def test_editor_of_a_project_sees_pools_but_cannot_change_them(client):
    pool = make_pool()
    client.force_login(bao())

    assert client.get(path("list")).status_code == 200
    page = client.get(path("detail", pool)).content.decode()
    assert "You need the role Tenant Admin to manage IP pools." in page
    assert [client.get(path(name, pool)).status_code for name in ("edit", "sweep")] == [403, 403]
    assert client.get(path("create")).status_code == 403
    assert client.post(path("delete", pool), {"confirm": pool.name}).status_code == 403


def test_viewer_of_a_project_sees_no_pools(client):
    client.force_login(make_user("dora", Role.PROJECT_VIEWER, project=make_project()))

    assert client.get(path("list")).status_code == 403


@pytest.mark.parametrize("name", ["detail", "edit", "sweep"])
def test_pool_of_another_tenant_is_not_found(client, name):
    pool = make_pool()
    client.force_login(carla())

    assert client.get(path(name, pool)).status_code == 404
    assert pool.name not in client.get(path("list")).content.decode()


@pytest.mark.parametrize("name", ["delete", "orphans-release", "strays-exclude"])
def test_pool_of_another_tenant_is_not_changed(client, name):
    pool = make_pool()
    client.force_login(carla())

    assert client.post(path(name, pool), {"confirm": pool.name}).status_code == 404
    assert client.get(path(name, pool)).status_code == 405


def test_strangers_sign_in_first(client):
    assert client.get(path("list")).status_code == 302


def test_create_makes_a_range(client, admin):
    gateway = make_gateway()

    answer = client.post(path("create"), typed(gateway, excluded="10.10.183.21"))

    pool = IPPool.objects.get()
    assert answer.headers["Location"] == path("detail", pool)
    assert (pool.gateway, pool.name_servers, pool.excluded) == (
        gateway,
        ["10.10.0.2", "10.10.0.3"],
        ["10.10.183.21"],
    )


def test_create_makes_a_subnet_and_ignores_what_was_typed_for_a_range(client, admin):
    client.post(path("create"), typed(make_gateway(), network_type="subnet", subnet="10.10.183.0/26"))

    pool = IPPool.objects.get()
    assert (pool.subnet, pool.start, pool.prefix) == ("10.10.183.0/26", None, 24)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"start": "10.10.183"}, "start"),
        ({"end": "10.10.183.10"}, "end"),
        ({"end": "2001:db8::1"}, "end"),
        ({"end": "10.10.184.10"}, "end"),
        ({"gateway_address": "10.10.184.1"}, "gateway_address"),
        ({"subnet_prefix": "33"}, "subnet_prefix"),
        ({"name_servers": "dns"}, "name_servers"),
        ({"search_suffixes": "a b_c"}, "search_suffixes"),
        ({"excluded": "x"}, "excluded"),
        ({"network_type": "subnet", "subnet": "10.10.183.1/24"}, "subnet"),
        ({"gateway": str(uuid4())}, "gateway"),
    ],
)
def test_create_with_a_wrong_value_says_so_at_its_field(client, admin, changes, field):
    answer = client.post(path("create"), {**typed(make_gateway()), **changes})

    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert not IPPool.objects.exists()


def test_create_beside_a_pool_with_the_same_addresses_is_refused(client, admin):
    gateway = make_gateway()
    make_pool(gateway, name="other")

    answer = client.post(path("create"), typed(gateway))

    assert "overlap with the IP pool other" in answer.context["form"].errors["start"][0]


def test_create_offers_the_system_gateway_last(client, admin):
    ensure_system_gateway(admin.tenant)
    make_gateway(name="dc-east")
    make_gateway(name="dc-west")

    form = client.get(path("create")).context["form"]

    assert [str(label) for _, label in form.fields["gateway"].choices] == [
        "dc-east",
        "dc-west",
        "System gateway",
    ]


def test_create_offers_only_gateways_of_the_tenant(client, admin):
    make_gateway(name="dc-east")
    make_gateway(carla().tenant, name="elsewhere")

    page = client.get(path("create")).content.decode()

    assert "dc-east" in page
    assert "elsewhere" not in page


def test_edit_shows_what_is_there_and_what_it_means_for_machines(client, admin):
    pool = make_pool(search_suffixes=["acme.test"], excluded=["10.10.183.30"])
    claim(pool)

    page = client.get(path("edit", pool)).content.decode()

    assert 'value="acme.test"' in page
    assert 'value="10.10.183.30"' in page
    assert "They keep their address" in page
    assert "1 address is in use" in page


def test_edit_changes_the_pool(client, admin):
    pool = make_pool(name="nodes")

    answer = client.post(path("edit", pool), typed(end="10.10.183.50", restrict_to_single_cluster="on"))

    pool.refresh_from_db()
    assert answer.status_code == 302
    assert (pool.end, pool.restrict_to_single_cluster) == ("10.10.183.50", True)


def test_edit_that_drops_an_address_in_use_is_refused_at_the_field(client, admin):
    pool = make_pool(name="nodes")
    claim(pool)

    answer = client.post(path("edit", pool), typed(start="10.10.183.25"))

    assert answer.status_code == 422
    assert "10.10.183.20 is used by gw-cp-1" in answer.context["form"].errors["start"][0]


def test_delete_removes_the_pool(client, admin):
    pool = make_pool()

    client.post(path("delete", pool), {"confirm": pool.name})

    assert not IPPool.objects.exists()


def test_delete_without_the_name_is_refused(client, admin):
    pool = make_pool()

    assert client.post(path("delete", pool), {"confirm": "pool"}).status_code == 409
    assert IPPool.objects.exists()


def test_delete_of_a_pool_in_use_is_refused_with_its_users(client, admin):
    pool = make_pool()
    cluster = make_cluster(pool.gateway, name="dc-east")
    claim(pool, cluster_id=cluster.pk)

    dialog = client.get(path("detail", pool)).content.decode().partition("<dialog")[2]
    assert reverse("clusters:detail", args=[cluster.pk]) in dialog
    assert 'name="confirm"' not in dialog
    assert client.post(path("delete", pool), {"confirm": pool.name}).status_code == 409


def rows_of(answer):
    return [(row.address, row.state) for row, _ in answer.context["rows"]]


def test_detail_shows_every_address_with_its_state(client, admin):
    pool = make_pool(start="10.10.183.0", end="10.10.183.4", excluded=["10.10.183.4"])
    claim(pool)
    pool.returned.create(address="10.10.183.3", free_at=timezone.now() + timedelta(minutes=5))

    answer = client.get(path("detail", pool))

    assert rows_of(answer) == [
        ("10.10.183.0", "Reserved"),
        ("10.10.183.1", "Reserved"),
        ("10.10.183.2", "Used"),
        ("10.10.183.3", "Resting"),
        ("10.10.183.4", "Reserved"),
    ]
    for reason in ("Network address", "Gateway of the network", "Excluded"):
        assert reason in answer.content.decode()


def test_detail_leads_to_the_cluster_that_holds_an_address(client, admin):
    pool = make_pool()
    cluster = make_cluster(pool.gateway)
    claim(pool, cluster_id=cluster.pk)

    page = client.get(path("detail", pool)).content.decode()

    assert f'<a href="{reverse("clusters:detail", args=[cluster.pk])}">gw-cp-1</a>' in page


def test_detail_does_not_name_clusters_of_other_projects(client):
    pool = make_pool()
    cluster = make_cluster(pool.gateway, project=make_project(name="secret"), name="secret-cluster")
    claim(pool, cluster_id=cluster.pk)
    client.force_login(bao())

    page = client.get(path("detail", pool)).content.decode()

    assert "A cluster that you do not see" in page
    assert "gw-cp-1" not in page
    assert "secret-cluster" not in page


@pytest.mark.parametrize(
    ("shown", "addresses"),
    [("used", ["10.10.183.20"]), ("reserved", ["10.10.183.30"]), ("resting", []), ("nonsense", 21)],
)
def test_detail_shows_only_addresses_of_one_state(client, admin, shown, addresses):
    pool = make_pool(excluded=["10.10.183.30"])
    claim(pool)

    found = rows_of(client.get(path("detail", pool), {"show": shown}))

    assert addresses in ([address for address, _ in found], len(found))


def test_detail_of_a_16_loads_one_page(client, admin, django_assert_max_num_queries):
    pool = make_pool(
        network_type="subnet",
        start=None,
        end=None,
        subnet="10.20.0.0/16",
        prefix=16,
        gateway_address="10.20.0.1",
    )
    claim(pool)

    with django_assert_max_num_queries(16):
        answer = client.get(path("detail", pool), {"page": "1024"})

    assert (rows_of(answer)[-1], len(rows_of(answer))) == (("10.20.255.255", "Reserved"), 64)
    assert "65,473 to 65,536 of 65,536" in answer.content.decode()


def test_detail_of_an_ipv6_network_is_shown(client, admin):
    pool = make_pool(
        network_type="subnet",
        start=None,
        end=None,
        subnet="2001:db8::/64",
        prefix=64,
        gateway_address="2001:db8::1",
    )

    answer = client.get(path("detail", pool), {"page": "2"})

    assert rows_of(answer)[0] == ("2001:db8::40", "Free")
    assert "18.4 quintillion" in answer.content.decode()


@pytest.mark.parametrize("number", ["0", "99999999999999999999", "x", "-1"])
def test_detail_of_a_page_that_is_not_there_shows_one_that_is(client, admin, number):
    assert len(rows_of(client.get(path("detail", make_pool()), {"page": number}))) == 21


def test_detail_shows_who_waits(client, admin):
    pool = make_pool()
    cluster = make_cluster(pool.gateway, name="dc-east")
    WaitingCluster.objects.create(pool=pool, cluster_id=cluster.pk, count=3, asked_at=timezone.now())

    page = client.get(path("detail", pool)).content.decode()

    assert "1 cluster waits for addresses" in page
    assert "dc-east</a> needs 3" in page


def test_detail_says_whom_a_restricted_pool_is_reserved_for(client, admin):
    pool = make_pool(restrict_to_single_cluster=True)
    assert "Yes, for the first that uses it" in client.get(path("detail", pool)).content.decode()
    cluster = make_cluster(pool.gateway, name="dc-east")

    claim(pool, cluster_id=cluster.pk)

    assert "Reserved for <a" in client.get(path("detail", pool)).content.decode()
    assert Cluster.objects.get().name == "dc-east"
