"""IP pools as a person uses them: made, filled, changed, checked, removed; in both themes."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from clusters.models import Cluster
from gateways.models import PrivateCloudGateway
from ippools.models import IPPool, WaitingCluster
from palette_portal.tenants.models import User
from tests.browser.people import sign_in
from tests.browser.test_gateways import show_themes
from tests.factories import amelia, make_cluster, make_gateway, make_pool
from tests.integration.ippools.asking import claim


@pytest.fixture
def admin(portal: str) -> User:
    return amelia()


@pytest.fixture
def gateway(portal: str) -> PrivateCloudGateway:
    return make_gateway(name="dc-east", vcenter_server="vcenter-east.acme.test")


@pytest.fixture
def cluster(gateway: PrivateCloudGateway) -> Cluster:
    return make_cluster(gateway, name="dc-east")


@pytest.fixture
def pool(gateway: PrivateCloudGateway, cluster: Cluster) -> IPPool:
    """Half used, with an address that rests, one that is excluded, and a cluster that waits."""
    pool = make_pool(gateway, name="node-network", excluded=["10.10.183.33"], restrict_to_single_cluster=True)
    for _ in range(9):
        claim(pool, cluster_id=cluster.pk)
    pool.returned.create(address="10.10.183.29", free_at=timezone.now() + timedelta(minutes=2))
    WaitingCluster.objects.create(pool=pool, cluster_id=cluster.pk, count=2, asked_at=timezone.now())
    return pool


def test_pool_is_made_changed_and_deleted(
    page: Page, portal: str, admin: User, gateway: PrivateCloudGateway
) -> None:
    sign_in(page, portal, admin)
    page.get_by_role("link", name="IP Pools").click()
    page.get_by_role("link", name="Create IP pool").click()
    page.get_by_label("Name", exact=True).fill("node-network")
    expect(page.get_by_label("Start")).to_be_visible()
    page.get_by_text("All addresses of a network.").click()
    expect(page.get_by_label("Start")).to_be_hidden()
    page.get_by_label("Subnet", exact=True).fill("10.10.183.64/26")
    page.get_by_label("Subnet Prefix").fill("18")
    page.get_by_label("Gateway", exact=True).fill("10.10.128.1")
    page.get_by_label("Name server addresses").fill("10.10.128.8")
    page.get_by_role("button", name="Create IP pool").click()
    expect(page.get_by_role("heading", name="node-network")).to_be_visible()
    expect(page.locator(".usage-key")).to_contain_text("62 free")

    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Excluded addresses").fill("10.10.183.70")
    page.get_by_role("button", name="Save IP pool").click()
    expect(page.locator(".usage-key")).to_contain_text("61 free")

    page.get_by_role("button", name="Delete").click()
    confirm = page.get_by_role("button", name="Delete IP pool")
    expect(confirm).to_be_disabled()
    page.get_by_label("Type node-network to confirm").fill("node-network")
    confirm.click()
    expect(page.get_by_text("No IP pool yet")).to_be_visible()


def test_pool_that_overlaps_is_refused_at_its_field(
    page: Page, portal: str, admin: User, pool: IPPool, quiet: list[str]
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/ip-pools/create/")
    page.get_by_label("Name", exact=True).fill("second")
    page.get_by_label("Start").fill("10.10.183.40")
    page.get_by_label("End").fill("10.10.183.50")
    page.get_by_label("Subnet Prefix").fill("24")
    page.get_by_label("Gateway", exact=True).fill("10.10.183.1")
    page.get_by_label("Name server addresses").fill("10.10.0.2")
    page.get_by_role("button", name="Create IP pool").click()

    expect(page.locator("#id_start_error")).to_contain_text("overlap with the IP pool node-network")
    quiet[:] = [line for line in quiet if "422" not in line]


def test_pool_in_use_names_who_uses_it(
    page: Page, portal: str, admin: User, pool: IPPool, cluster: Cluster
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/ip-pools/{pool.pk}/")

    page.get_by_role("button", name="Delete").click()

    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("9 addresses are in use")
    expect(dialog.get_by_role("button", name="Delete IP pool")).to_have_count(0)
    dialog.get_by_role("link", name="dc-east").click()
    page.wait_for_url(f"**/clusters/{cluster.pk}/")


def test_addresses_of_a_large_pool_are_walked_page_by_page(
    page: Page, portal: str, admin: User, gateway: PrivateCloudGateway
) -> None:
    large = make_pool(gateway, name="large", start="10.20.0.10", end="10.20.255.0", prefix=16)
    IPPool.objects.update(gateway_address="10.20.0.1")
    sign_in(page, portal, admin)
    page.goto(f"{portal}/ip-pools/{large.pk}/")

    page.get_by_role("link", name="Next").click()

    expect(page.locator("#addresses tbody tr").first).to_contain_text("10.20.0.74")
    expect(page.locator("#addresses tbody tr")).to_have_count(64)


def test_pages_are_accessible_in_both_themes(
    page: Page, portal: str, admin: User, pool: IPPool, check_accessible: Callable[[Page], None]
) -> None:
    orphan = claim(
        make_pool(
            pool.gateway,
            name="left-over",
            start="10.10.184.20",
            end="10.10.184.90",
            gateway_address="10.10.184.1",
        )
    )
    berlin = make_gateway(name="berlin", vcenter_server="vcenter-berlin.acme.test")
    make_pool(
        berlin,
        name="ipv6",
        network_type="subnet",
        start=None,
        end=None,
        subnet="2001:db8::/64",
        prefix=64,
        gateway_address="2001:db8::1",
    )
    sign_in(page, portal, admin)

    for name, path in {
        "ip-pools": "/ip-pools/",
        "ip-pool": f"/ip-pools/{pool.pk}/",
        "ip-pool-reserved": f"/ip-pools/{pool.pk}/?show=reserved",
        "ip-pool-edit": f"/ip-pools/{pool.pk}/edit/",
        "ip-pool-create": "/ip-pools/create/",
        "ip-pool-sweep": f"/ip-pools/{orphan.pool_id}/sweep/",
    }.items():
        page.goto(portal + path)
        show_themes(page, name, check_accessible)

    page.goto(f"{portal}/ip-pools/{pool.pk}/")
    page.get_by_role("button", name="Delete").click()
    show_themes(page, "ip-pool-delete", check_accessible)
