"""The cluster list: who sees what, filters, order, pages by key."""

import re
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from clusters.keyset import GroupedOrder
from clusters.listing import ListFilter
from clusters.models import Cluster, ClusterAddOn
from clusters.states import MachineState
from palette_portal.tenants.models import User
from palette_portal.tenants.roles import Role
from tests.factories import (
    amelia,
    bao,
    carla,
    make_cluster,
    make_gateway,
    make_machine,
    make_machine_pool,
    make_project,
    make_tenant,
    make_user,
)
from tests.integration.clusters.listed import copies_of, deleted, make_profile

pytestmark = pytest.mark.django_db

SORTS = ("name", "state", "health", "profile", "version", "gateway", "project", "created")


@pytest.fixture
def admin(client: Client) -> User:
    user = amelia()
    client.force_login(user)
    return user


@pytest.fixture
def shop(admin: User) -> Cluster:
    return make_cluster(make_gateway(name="dc-east"), project=make_project(), name="shop", state="Running")


def names(client: Client, query: str = "") -> list[str]:
    page = client.get(f"{reverse('clusters:list')}?{query}").content.decode()
    return re.findall(r'class="lead"><a href="[^"]+">([^<]+)<', page)


def pages(client: Client, query: str, *, rel: str = "next", at: str = "") -> list[list[str]]:
    """All pages by following the link."""
    found = []
    for _ in range(20):
        page = client.get(f"{reverse('clusters:list')}?{query}{at}").content.decode()
        found.append(re.findall(r'id="row-([0-9a-f]{32})"', page))
        link = re.search(rf'rel="{rel}" href="\?[^"]*at=([^"]+)"', page)
        if link is None:
            return found
        at = f"&at={link[1]}"
    raise AssertionError("The pages do not end.")


def last_page_cursor(client: Client, query: str) -> str:
    at = ""
    while link := re.search(
        r'rel="next" href="\?[^"]*at=([^"]+)"',
        client.get(f"{reverse('clusters:list')}?{query}{at}").content.decode(),
    ):
        at = f"&at={link[1]}"
    return at


def test_list_shows_a_cluster_with_all_its_columns(client: Client, shop: Cluster) -> None:
    pool = make_machine_pool(shop, size=3)
    make_machine(pool, index=1, state=MachineState.RUNNING)
    make_machine(pool, index=2, state=MachineState.PROVISIONING)
    make_machine(pool, index=3, state=MachineState.DELETED)
    version = make_profile("starter", "1.2.0")
    Cluster.objects.update(profile_version=version, tags=["team:web", "prod", "blue"], health="Healthy")

    page = client.get(reverse("clusters:list")).content.decode()

    for text in (
        "shop",
        "Running",
        "Healthy",
        "starter",
        "1.2.0",
        "1.31.2",
        "dc-east",
        "payments",
        "team:web",
    ):
        assert text in page
    assert '1<span class="dim">/2</span>' in page
    assert '<span class="dim" title="prod, blue">+2</span>' in page


def test_list_of_a_tenant_admin_has_all_projects_and_gateway_clusters(client: Client, shop: Cluster) -> None:
    make_cluster(make_gateway(name="dc-west"))
    make_cluster(project=make_project(name="platform"), name="tools")

    assert sorted(names(client)) == ["dc-west", "shop", "tools"]


def test_list_of_a_project_person_has_the_own_projects(client: Client, shop: Cluster) -> None:
    make_cluster(project=make_project(name="platform"), name="tools")
    client.force_login(bao())

    assert names(client) == ["shop"]


def test_list_of_another_tenant_has_nothing(client: Client, shop: Cluster) -> None:
    client.force_login(carla())

    page = client.get(reverse("clusters:list")).content.decode()

    assert "shop" not in page
    assert "No clusters yet" in page


def test_list_in_a_chosen_project_has_its_clusters(client: Client, shop: Cluster) -> None:
    make_cluster(project=make_project(name="platform"), name="tools")
    client.post(reverse("tenants:scope-switch"), {"project": shop.project_id})

    assert names(client) == ["shop"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=sho", ["shop"]),
        ("q=SHOP", ["shop"]),
        ("q=10.9.0", ["tools"]),
        ("q=tools+10.9", ["tools"]),
        ("q=tools+shop", []),
        ("q=%25", []),
        ("state=Running", ["shop"]),
        ("state=Running&state=Pending", ["shop", "tools"]),
        ("state=Nonsense", ["shop", "tools"]),
        ("health=Unhealthy", ["tools"]),
        ("tag=team:web", ["shop"]),
        ("tag=team", []),
        ("q=%00shop", ["shop"]),
        ("project=nonsense", ["shop", "tools"]),
    ],
)
def test_list_filters(client: Client, shop: Cluster, query: str, found: list[str]) -> None:
    shop.tags = ["team:web"]
    shop.save()
    make_cluster(
        project=make_project(name="platform"), name="tools", endpoint_host="10.9.0.4", health="Unhealthy"
    )

    assert sorted(names(client, query)) == found


def test_list_filters_by_project_gateway_and_profile(client: Client, shop: Cluster) -> None:
    version = make_profile("starter")
    tools = make_cluster(project=make_project(name="platform"), name="tools", profile_version=version)

    assert names(client, f"project={shop.project_id}") == ["shop"]
    assert names(client, f"gateway={tools.gateway_id}") == ["tools"]
    assert names(client, f"profile={version.profile_id}") == ["tools"]
    assert names(client, f"profile={version.profile_id}&project={shop.project_id}") == []


def test_list_filters_by_an_add_on_profile_too(client: Client, shop: Cluster) -> None:
    version, own = make_profile("monitoring", type="add-on"), make_profile("starter")
    watched = make_cluster(project=make_project(), name="watched", profile_version=own)
    ClusterAddOn.objects.create(cluster=watched, profile=version.profile, version=version, position=1)

    assert names(client, f"profile={version.profile_id}") == ["watched"]
    assert names(client, f"profile={own.profile_id}") == ["watched"]
    assert names(client, f"profile={uuid4()}") == []


def test_deleted_are_shown_for_72_hours_and_only_when_asked_for(client: Client, shop: Cluster) -> None:
    deleted(make_cluster(project=make_project(), name="lately"), hours_ago=71)
    deleted(make_cluster(project=make_project(), name="long-ago"), hours_ago=73)

    assert names(client) == ["shop"]
    assert names(client, "state=Deleted") == ["lately"]
    assert sorted(names(client, "state=Deleted&state=Running")) == ["lately", "shop"]


def test_filter_that_finds_nothing_offers_to_clear_it(client: Client, shop: Cluster) -> None:
    page = client.get(f"{reverse('clusters:list')}?q=nothing-like-this").content.decode()

    assert "No cluster matches" in page
    assert "No clusters yet" not in page


def test_chips_take_one_condition_away(client: Client, shop: Cluster) -> None:
    page = client.get(
        f"{reverse('clusters:list')}?q=sh&state=Running&state=Pending&sort=name"
    ).content.decode()

    assert 'href="?q=sh&amp;state=Pending&amp;sort=name"' in page
    assert 'href="?state=Pending&amp;state=Running&amp;sort=name"' in page


def test_list_sorts_versions_by_number(client: Client, shop: Cluster) -> None:
    make_cluster(project=make_project(), name="old", kubernetes_version="1.9.11")
    make_cluster(project=make_project(), name="older", kubernetes_version="1.9.4")

    assert names(client, "sort=version") == ["older", "old", "shop"]
    assert names(client, "sort=-version") == ["shop", "old", "older"]


@pytest.mark.parametrize("sort", [*SORTS, *(f"-{sort}" for sort in SORTS)])
def test_pages_miss_and_repeat_none_in_any_order_in_both_directions(
    client: Client, shop: Cluster, sort: str
) -> None:
    for number, name in enumerate(("payments", "platform", "web")):
        project = make_project(name=name)
        copies_of(
            shop,
            43,
            state=("Running", "Pending", "Running")[number],
            health=("Healthy", "Unknown", "Unknown")[number],
            kubernetes_version=("1.9.4", "1.31.2", "1.31.2")[number],
            project_id=project.pk,
            gateway_id=make_gateway(name=f"{name}-gateway").pk if number else shop.gateway_id,
            profile_version_id=make_profile("starter").pk if number == 1 else None,
        )

    forward = pages(client, f"sort={sort}")
    backward = pages(client, f"sort={sort}", rel="prev", at=last_page_cursor(client, f"sort={sort}"))

    assert [len(page) for page in forward] == [50, 50, 30]
    assert len({row for page in forward for row in page}) == 130
    assert list(reversed(backward)) == forward


def test_opposite_orders_are_the_reverse_of_each_other(client: Client, shop: Cluster) -> None:
    copies_of(shop, 20, state="Pending")

    up, down = (pages(client, f"sort={sort}")[0] for sort in ("state", "-state"))

    assert up == down[::-1]


def test_next_page_is_not_shifted_by_a_new_cluster(client: Client, shop: Cluster) -> None:
    copies_of(shop, 60)
    page = client.get(f"{reverse('clusters:list')}?sort=name").content.decode()
    at = re.search(r"at=([^\"]+)\"", page)
    make_cluster(project=make_project(), name="a-first-one")

    assert at
    assert names(client, f"sort=name&at={at[1]}")[0] == "cluster-0052"


def test_list_sorts_by_what_clusters_belong_to_and_then_by_name(client: Client, shop: Cluster) -> None:
    """Same names of different things do not mix, capitals do; what belongs to nothing comes first."""
    starter = make_profile("Starter")
    older, renewed = make_profile("another", "1.9.0"), make_profile("another", "1.10.0")
    gateway, project = make_gateway(name="b-west"), make_project(name="a-team")
    for name, version in (("x", starter), ("m", renewed), ("z", older), ("a", renewed)):
        make_cluster(gateway, project=project, name=name, profile_version=version)
    body = make_cluster(gateway, name="body")

    assert names(client, "sort=profile") == ["body", "shop", "z", "a", "m", "x"]
    assert names(client, "sort=-profile") == ["x", "m", "a", "z", "shop", "body"]
    assert names(client, "sort=project") == ["body", "a", "m", "x", "z", "shop"]
    assert names(client, "sort=gateway") == ["a", "body", "m", "x", "z", "shop"]
    assert names(client, "sort=gateway&q=bo") == [body.name]


@pytest.mark.parametrize("sort", ["gateway", "-project", "profile"])
def test_order_goes_through_groups_of_the_own_tenant_only(shop: Cluster, sort: str) -> None:
    make_profile("starter")
    make_gateway(make_tenant("other"))

    own = ListFilter(sort=sort).order_in(shop.tenant_id)
    others = ListFilter(sort=sort).order_in(make_tenant("other").pk)

    assert isinstance(own, GroupedOrder)
    assert isinstance(others, GroupedOrder)
    assert own.groups.count() == 1
    assert others.groups.count() == (sort == "gateway")


@pytest.mark.parametrize("sort", ["gateway", "-project", "profile"])
def test_orders_by_what_clusters_belong_to_keep_to_rights_and_filters(
    client: Client, shop: Cluster, sort: str
) -> None:
    starter = make_profile("starter")
    for name, project in (("tools", "platform"), ("web", "payments"), ("wiki", "payments")):
        make_cluster(project=make_project(name=project), name=name, profile_version=starter, tags=["prod"])
    make_cluster(project=make_project(), name="gone", state="Running")
    deleted(Cluster.objects.get(name="gone"), hours_ago=1)
    theirs = make_cluster(make_gateway(make_tenant("other")), name="theirs")

    for query, found in (
        ("", ["shop", "tools", "web", "wiki"]),
        ("tag=prod&q=w", ["web", "wiki"]),
        (f"profile={starter.profile_id}", ["tools", "web", "wiki"]),
        ("state=Deleted&state=Running", ["gone", "shop"]),
    ):
        assert sorted(names(client, f"{query}&sort={sort}")) == found
    assert theirs.tenant != shop.tenant
    client.force_login(make_user("vera", Role.PROJECT_VIEWER, project=make_project(name="platform")))
    assert names(client, f"sort={sort}") == ["tools"]


@pytest.mark.parametrize(
    "at", ["x", "%00", "W10", "WzAsIm5vbnNlbnNlIiwieCJd", "WzAsIlx1MDAwMCIsIngiXQ", "a" * 900]
)
def test_page_that_nothing_names_is_the_first(client: Client, shop: Cluster, at: str) -> None:
    assert names(client, f"at={at}") == ["shop"]


def test_part_has_the_results_and_tells_the_address(client: Client, shop: Cluster) -> None:
    response = client.get(
        f"{reverse('clusters:list')}?q=shop&state=&project=&sort=-created", headers={"HX-Request": "true"}
    )

    assert b"<html" not in response.content
    assert response["HX-Push-Url"] == "/clusters/?q=shop"
    assert "HX-Request" in response["Vary"]


def test_tags_are_suggested_from_what_the_person_sees(client: Client, shop: Cluster) -> None:
    Cluster.objects.update(tags=["blue", "team:web"])
    make_cluster(project=make_project(name="platform"), name="tools", tags=["secret", "blue"])
    client.force_login(bao())

    page = client.get(reverse("clusters:tags")).content.decode()

    assert re.findall('value="([^"]+)"', page) == ["blue", "team:web"]


def test_list_by_post_is_refused(client: Client, admin: User) -> None:
    assert client.post(reverse("clusters:list")).status_code == 405
    assert client.post(reverse("clusters:tags")).status_code == 405


def test_deploying_is_offered_only_to_those_who_may(client: Client, shop: Cluster) -> None:
    link, address = reverse("clusters:list"), f'href="{reverse("clusters:deploy")}"'
    assert address in client.get(link).content.decode()

    client.force_login(make_user("vera", Role.PROJECT_VIEWER, project=make_project()))

    page = client.get(link).content.decode()
    assert address not in page and "to deploy clusters." in page


def test_more_clusters_than_anybody_counts_are_not_counted(
    client: Client, shop: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "1 cluster<" in client.get(reverse("clusters:list")).content.decode()
    copies_of(shop, 6)
    assert "7 clusters<" in client.get(reverse("clusters:list")).content.decode()
    monkeypatch.setattr("clusters.listing.COUNTED_UP_TO", 5)

    assert "More than 5 clusters" in client.get(reverse("clusters:list")).content.decode()


@pytest.mark.parametrize("query", ["", "q=s", "state=Running", "sort=gateway", "tag=blue", "profile"])
def test_list_needs_the_same_queries_for_many_rows(client: Client, shop: Cluster, query: str) -> None:
    make_machine(make_machine_pool(shop))
    version = make_profile("starter")
    Cluster.objects.update(profile_version=version, tags=["blue"])
    if query == "profile":
        query = f"profile={version.profile_id}"

    def queries() -> int:
        names(client, query)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(f"{reverse('clusters:list')}?{query}").status_code == 200
        return len(captured)

    few = queries()
    shop.refresh_from_db()
    copies_of(shop, 120)

    assert queries() == few
    assert few <= 13
