"""A running cluster is changed in a browser: pools, nodes, profile; on the lab's inventory, nothing runs."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from clusters.actions.requests import PlacementRequest
from clusters.models import Cluster, ClusterLayer, ClusterSecrets, MachinePool, Placement, PoolRole
from clusters.profiles.models import ClusterProfile, LayerKind, ProfileLayer, ProfileVersion
from clusters.states import ClusterHealth, ClusterState, MachineState
from palette_portal.orchestration.models import Operation
from palette_portal.vsphere.session import sessions
from tests.benchmarks.deploying import placement
from tests.browser.people import sign_in
from tests.factories import (
    bao,
    make_cloud_account,
    make_cluster,
    make_gateway,
    make_machine,
    make_machine_pool,
    make_pool,
    make_project,
)
from tests.lab.fixtures import lab, lab_server  # noqa: F401
from tests.lab.vcsim import Lab

SHOTS = os.environ.get("SCREENSHOTS", "")
PHONE = {"width": 390, "height": 844}
LAYERS = (
    (LayerKind.OS, "ubuntu", "24.04"),
    (LayerKind.KUBERNETES, "kubernetes", "1.36.4"),
    (LayerKind.NETWORK, "calico", "3.32.2"),
)
CheckAccessible = Callable[[Page], None]


def add_version(profile: ClusterProfile, number: str, **packs: str) -> ProfileVersion:
    rank = int("".join(part.zfill(6) for part in number.split(".")))
    version = ProfileVersion.objects.create(profile=profile, version=number, rank=rank)
    ProfileLayer.objects.bulk_create(
        ProfileLayer(
            version=version,
            kind=kind,
            position=position,
            pack=pack,
            pack_version=packs.get(pack, pack_version),
        )
        for position, (kind, pack, pack_version) in enumerate(LAYERS, start=1)
    )
    ProfileVersion.objects.filter(pk=version.pk).update(published_at=timezone.now())
    return version


def place(pool: MachinePool, where: PlacementRequest) -> None:
    Placement.objects.filter(pool=pool).delete()
    Placement.objects.create(pool=pool, **vars(where))


@pytest.fixture
def cluster(portal: str, lab: Lab) -> Iterator[Cluster]:  # noqa: F811
    """shop runs with one master and two workers, one of which is off; 1.1.0 of its profile is published."""
    gateway, project = make_gateway(state="Running"), make_project()
    login = lab.login()
    account = make_cloud_account(gateway, vcenter_server=login.pop("server"), **login)
    found = placement(lab)
    profile = ClusterProfile.objects.create(tenant=gateway.tenant, name="starter")
    version = add_version(profile, "1.0.0")
    add_version(profile, "1.1.0", calico="3.33.0")
    cluster = make_cluster(
        gateway,
        purpose="tenant",
        project=project,
        name="shop",
        state=ClusterState.RUNNING,
        cloud_account=account,
        datacenter_moid=found["datacenter"].moid,
        profile_version=version,
        kubernetes_version="1.36.4",
        image_template="r_u-2404-0-k-1364-0",
        running_at=timezone.now(),
        health=ClusterHealth.HEALTHY,
    )
    ClusterLayer.objects.bulk_create(
        ClusterLayer(cluster=cluster, kind=kind, position=position, pack=pack, pack_version=pack_version)
        for position, (kind, pack, pack_version) in enumerate(LAYERS, start=1)
    )
    ClusterSecrets.objects.create(cluster=cluster, pki="p", admin_kubeconfig="k", bootstrap_token="t")
    ip_pool = make_pool(gateway)
    add_pool(cluster, found["place"], PoolRole.CONTROL_PLANE, "master-pool", "cp", 1, ip_pool=ip_pool)
    workers = add_pool(cluster, found["place"], PoolRole.WORKER, "web", "web", 2, ip_pool=ip_pool)
    workers.machines.filter(index=2).update(power_state="poweredOff")
    yield cluster
    sessions.close_all()


def add_pool(
    cluster: Cluster, where: PlacementRequest, role: PoolRole, name: str, short: str, size: int, **fields: Any
) -> MachinePool:
    pool = make_machine_pool(cluster, role=role, name=name, size=size, **fields)
    place(pool, where)
    for index in range(1, size + 1):
        make_machine(
            pool,
            index=index,
            name=f"shop-{short}-{index}",
            placement=pool.placements.get(),
            state=MachineState.RUNNING,
            power_state="poweredOn",
            last_report_at=timezone.now(),
            running_at=timezone.now(),
            moid=f"vm-{short}-{index}",
        )
    return pool


def shoot(page: Page, name: str, quiet: list[str]) -> None:
    """A picture; taking it makes Playwright add a style, which the policy reports."""
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"day-two-{name}.png", full_page=True)
        quiet[:] = [line for line in quiet if "inline style" not in line]


def forget_refusals(quiet: list[str]) -> None:
    """A refused form answers 4xx, which browsers write to the console."""
    quiet[:] = [line for line in quiet if "422" not in line and "409" not in line]


def open_nodes(page: Page, portal: str, cluster: Cluster) -> None:
    sign_in(page, portal, bao())
    page.goto(f"{portal}/clusters/{cluster.pk}/nodes/")


def test_pool_is_resized_from_its_menu(
    page: Page, portal: str, cluster: Cluster, quiet: list[str], check_accessible: CheckAccessible
) -> None:
    open_nodes(page, portal, cluster)
    shoot(page, "nodes", quiet)
    check_accessible(page)
    page.get_by_role("button", name="Actions for web").click()
    page.get_by_role("link", name="Resize").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Resize web")

    dialog.get_by_label("Size").fill("0")
    dialog.get_by_role("button", name="Resize").click()
    expect(page.get_by_role("dialog")).to_contain_text("Give a number from 1 to 500.")
    shoot(page, "resize-refused", quiet)
    page.get_by_role("dialog").get_by_label("Size").fill("4")
    page.get_by_role("dialog").get_by_role("button", name="Resize").click()

    page.wait_for_url(f"**/clusters/{cluster.pk}/")
    expect(page.get_by_text("web is going from 2 to 4 nodes.")).to_be_visible()
    expect(page.get_by_role("link", name="Stop the change")).to_be_visible()
    shoot(page, "scaling", quiet)
    forget_refusals(quiet)


def test_edit_shows_what_will_happen_first(
    page: Page, portal: str, cluster: Cluster, quiet: list[str], check_accessible: CheckAccessible
) -> None:
    open_nodes(page, portal, cluster)
    page.get_by_role("button", name="Actions for web").click()
    page.get_by_role("link", name="Edit pool").click()
    expect(page.get_by_label("Disk Size in GB")).to_be_visible(timeout=20_000)
    check_accessible(page)

    page.get_by_role("button", name="Review changes").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing of web is different.")
    page.get_by_label("Disk Size in GB").fill("120")
    expect(page.locator(".htmx-request")).to_have_count(0)
    page.get_by_role("button", name="Review changes").click()

    expect(page.locator("#renewal")).to_contain_text("2 nodes will be replaced")
    shoot(page, "edit-review", quiet)
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url(f"**/clusters/{cluster.pk}/")
    assert Operation.objects.of(cluster.subject).active().exists()
    forget_refusals(quiet)


def test_broken_node_is_replaced(page: Page, portal: str, cluster: Cluster, quiet: list[str]) -> None:
    open_nodes(page, portal, cluster)
    page.get_by_role("button", name="Console of shop-web-2").click()
    page.get_by_role("link", name="Replace node").click()
    expect(page.get_by_role("dialog")).to_contain_text("shop-web-2 is powered off in vCenter.")
    shoot(page, "replace", quiet)

    page.get_by_role("dialog").get_by_role("button", name="Replace node").click()

    page.wait_for_url(f"**/clusters/{cluster.pk}/")
    assert Operation.objects.of(cluster.subject).active().exists()


def test_pool_is_deleted_by_its_name(page: Page, portal: str, cluster: Cluster, quiet: list[str]) -> None:
    MachinePool.objects.filter(role=PoolRole.CONTROL_PLANE).update(takes_workloads=True)
    open_nodes(page, portal, cluster)
    page.get_by_role("button", name="Actions for web").click()
    page.get_by_role("link", name="Delete pool").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Type web to confirm").fill("web")
    shoot(page, "delete-pool", quiet)

    dialog.get_by_role("button", name="Delete node pool").click()

    page.wait_for_url(f"**/clusters/{cluster.pk}/")


def test_profile_is_updated_after_a_look_at_what_changes(
    page: Page, portal: str, cluster: Cluster, quiet: list[str], check_accessible: CheckAccessible
) -> None:
    sign_in(page, portal, bao())
    page.goto(f"{portal}/clusters/{cluster.pk}/")
    page.get_by_role("link", name="Review the update").click()
    expect(page.get_by_role("heading", name="Update shop")).to_be_visible()
    check_accessible(page)
    page.locator("#pack-calico summary").click()
    calico = page.locator("#id_values_calico")
    as_published = calico.input_value()
    calico.fill(f"{as_published}# typed\n")
    page.locator("#version").select_option(index=1)
    page.wait_for_url("**/update/?version=*")
    expect(calico).to_have_value(re.compile("# typed"))
    page.locator("#version").select_option(index=0)
    expect(page.locator("#version option:checked")).to_contain_text("newest")
    expect(calico).to_have_value(re.compile("# typed"))
    calico.fill(as_published)

    page.get_by_role("button", name="Review changes").click()

    expect(page.locator("#update-plan")).to_contain_text("No node is replaced.")
    expect(page.locator("#update-plan")).to_contain_text("Calico 3.32.2 → Calico 3.33.0")
    shoot(page, "update", quiet)
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url(f"**/clusters/{cluster.pk}/")
    expect(page.locator("#cluster-state")).to_contain_text("Apply packs")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_on_a_phone(
    browser: Browser, portal: str, cluster: Cluster, scheme: Any, check_accessible: CheckAccessible
) -> None:
    context = browser.new_context(viewport=PHONE, color_scheme=scheme)
    page = context.new_page()
    sign_in(page, portal, bao())
    for path in ("nodes/", "pools/add/?wait=1", "settings/", "update/"):
        page.goto(f"{portal}/clusters/{cluster.pk}/{path}")
        expect(page.locator("main h1").first).to_be_visible()
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], path
        check_accessible(page)
        shoot(page, f"phone-{scheme}-{path.split('/')[0]}", [])
    context.close()
