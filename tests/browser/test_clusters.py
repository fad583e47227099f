"""The cluster list and Cluster Details as people use them: in the URL, live, on a phone, in the dark."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from django.utils import timezone
from playwright.sync_api import Page, expect

from clusters.actions.saved_views import save_view
from clusters.models import Cluster, ClusterLayer, ClusterSecrets, PoolRole
from clusters.profiles.models import LayerKind
from clusters.states import ClusterHealth, ClusterState, MachineState
from palette_portal.bootstrap.pki import dump_pki, generate_cluster_pki
from palette_portal.orchestration.actions import announce_subject, record_event, start_operation
from palette_portal.orchestration.models import OperationKind, Severity
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants.models import User
from palette_portal.tenants.roles import Role
from tests.browser.people import sign_in
from tests.factories import (
    amelia,
    bao,
    make_cluster,
    make_gateway,
    make_machine,
    make_machine_pool,
    make_project,
    make_user,
)
from tests.integration.clusters.listed import make_profile

SCREENSHOTS = os.environ.get("SCREENSHOTS", "")
Check = Callable[[Page], None]


@pytest.fixture
def admin(portal: str) -> User:
    return amelia()


@pytest.fixture
def sixty(admin: User) -> list[Cluster]:
    """In three projects behind two gateways, one of them just being made."""
    gateways = [make_gateway(name=name) for name in ("dc-east-pcg", "dc-west-pcg")]
    versions = [make_profile("vmware-base", "3.1.2"), make_profile("vmware-hardened", "2.4.0")]
    states = (ClusterState.RUNNING, ClusterState.RUNNING, ClusterState.PROVISIONING, ClusterState.RUNNING)
    healths = (ClusterHealth.HEALTHY, ClusterHealth.UNHEALTHY, ClusterHealth.UNKNOWN, ClusterHealth.HEALTHY)
    clusters = []
    for number in range(60):
        project = ("payments", "identity", "edge-retail")[number % 3]
        cluster = make_cluster(
            gateways[number % 2],
            project=make_project(name=project),
            name=f"{project}-{('prod', 'dev')[number % 2]}-{number:04}",
            state=states[number % 4],
            health=healths[number % 4],
            profile_version=versions[number % 2],
            kubernetes_version=f"1.3{number % 3}.{number % 7}",
            tags=[f"team:{project}", "blue", "green"][: number % 4],
            created_at=timezone.now() - timedelta(hours=number * number),
        )
        clusters.append(cluster)
    pool = make_machine_pool(clusters[0], size=3)
    for index in (1, 2, 3):
        make_machine(
            pool, index=index, state=MachineState.RUNNING if index < 3 else MachineState.PROVISIONING
        )
    return clusters


@pytest.fixture
def shop(admin: User) -> Cluster:
    """Runs, with two pools and all that the tabs can show."""
    gateway = make_gateway(name="dc-east-pcg")
    cluster = make_cluster(
        gateway,
        project=make_project(),
        name="shop-prod",
        state=ClusterState.RUNNING,
        health=ClusterHealth.HEALTHY,
        endpoint_host="10.10.183.21",
        profile_version=make_profile("vmware-base", "3.1.2"),
        tags=["team:web", "prod"],
        ssh_keys=["ssh-ed25519 AAAA amelia"],
        description="Where people buy things.",
        created_by=admin,
        running_at=timezone.now() - timedelta(days=3),
    )
    make_profile("vmware-base", "3.2.0")
    packs = (
        (LayerKind.OS, "ubuntu", "22.04"),
        (LayerKind.KUBERNETES, "kubernetes", "1.31.2"),
        (LayerKind.NETWORK, "calico", "3.28.1"),
        (LayerKind.STORAGE, "vsphere-csi", "3.3.1"),
        (LayerKind.ADD_ON, "metallb", "0.14.8"),
    )
    for position, (kind, pack, version) in enumerate(packs):
        ClusterLayer.objects.create(
            cluster=cluster, kind=kind, pack=pack, pack_version=version, position=position
        )
    masters = make_machine_pool(cluster, size=3)
    workers = make_machine_pool(cluster, name="worker-pool", role=PoolRole.WORKER, size=2, num_cpus=8)
    for pool, word in ((masters, "cp"), (workers, "worker-pool")):
        pool.placements.update(zone="az-1")
        for index in range(1, pool.size + 1):
            make_machine(
                pool,
                index=index,
                name=f"shop-prod-{word}-{index}",
                state=MachineState.RUNNING,
                ip_address=f"10.10.183.{30 + index + 10 * (word == 'cp')}",
                host_name=f"esx-0{index}.acme.test",
                kubelet_version="v1.31.2",
                moid=f"vm-{index}",
                last_report_at=timezone.now(),
                phase="ready",
            )
    ClusterSecrets.objects.create(
        cluster=cluster,
        pki=dump_pki(generate_cluster_pki("shop-prod")),
        admin_kubeconfig="-",
        bootstrap_token="-",
        certificates_expire_at=timezone.now() + timedelta(days=300),
    )
    return cluster


def show(page: Page, name: str, check: Check) -> None:
    """In both themes and on a phone: accessible, and kept as a picture when asked for."""
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        for width, height in ((1440, 900), (390, 844)):
            page.set_viewport_size({"width": width, "height": height})
            check(page)
            if SCREENSHOTS:
                page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{width}-{theme}.png")
    page.set_viewport_size({"width": 1440, "height": 900})


def names(page: Page) -> list[str]:
    return page.locator("table.clusters .lead a").all_text_contents()


def test_list_keeps_its_filter_in_the_address(
    page: Page, portal: str, sixty: list[Cluster], admin: User, check_accessible: Check
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/clusters/")
    expect(page.locator("table.clusters tbody tr")).to_have_count(50)
    show(page, "clusters", check_accessible)

    page.get_by_label("Search name or endpoint").fill("prod")
    page.wait_for_url("**/clusters/?q=prod")
    page.get_by_role("button", name="State", exact=True).click()
    page.locator("#state-menu").get_by_text("Provisioning").click()
    page.wait_for_url("**/clusters/?q=prod&state=Provisioning")
    page.get_by_label("Gateway").select_option("dc-east-pcg")
    page.wait_for_url("**gateway=*")
    page.keyboard.press("Escape")
    expect(page.locator("table.clusters tbody tr")).to_have_count(15)
    show(page, "clusters-filtered", check_accessible)
    found = names(page)

    page.reload()
    assert names(page) == found
    page.locator(".chip", has_text="prod").click()
    page.wait_for_url(lambda url: "q=prod" not in url and "state=Provisioning" in url)
    page.go_back()
    assert names(page) == found


def test_list_sorts_and_turns_pages(page: Page, portal: str, sixty: list[Cluster], admin: User) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/clusters/")

    page.get_by_role("columnheader", name="Name").get_by_role("link").click()
    expect(page.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "ascending")
    first = names(page)
    page.get_by_role("link", name="Next").click()
    expect(page.locator("table.clusters tbody tr")).to_have_count(10)
    second = names(page)
    page.get_by_role("link", name="Previous").click()
    expect(page.locator("table.clusters tbody tr")).to_have_count(50)

    assert names(page) == first
    assert first + second == sorted(cluster.name for cluster in sixty)


def test_view_is_saved_applied_and_deleted(
    page: Page, portal: str, sixty: list[Cluster], admin: User, check_accessible: Check, quiet: list[str]
) -> None:
    save_view(name="Broken", query="health=Unhealthy", by=admin)
    sign_in(page, portal, admin)
    page.goto(f"{portal}/clusters/")
    page.get_by_label("Health", exact=True).select_option("Healthy")
    page.wait_for_url("**health=Healthy")

    page.get_by_role("button", name="Views").click()
    show(page, "clusters-views", check_accessible)
    page.get_by_role("link", name="Save this view").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Broken")
    page.get_by_role("dialog").get_by_role("button", name="Save view").click()
    expect(page.get_by_text("You have a view called Broken already")).to_be_visible()
    quiet.clear()
    show(page, "clusters-save-view", check_accessible)
    page.get_by_role("dialog").get_by_label("Name").fill("Well")
    page.get_by_role("dialog").get_by_role("button", name="Save view").click()
    expect(page.get_by_text("The view Well is saved.")).to_be_visible()
    assert page.url.endswith("/clusters/?health=Healthy")

    page.get_by_role("button", name="Views").click()
    page.get_by_role("link", name="Broken", exact=True).click()
    page.wait_for_url("**/clusters/?health=Unhealthy")
    page.get_by_role("button", name="Views").click()
    page.get_by_role("button", name="Delete the view Broken").click()
    expect(page.get_by_text("The view Broken is deleted.")).to_be_visible()


def test_row_changes_while_it_is_looked_at(
    page: Page, portal: str, sixty: list[Cluster], admin: User
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/clusters/?state=Provisioning")
    row = page.locator("tr", has_text=sixty[2].name)
    expect(row.get_by_text("Provisioning")).to_be_visible()

    Cluster.objects.filter(pk=sixty[2].pk).update(state=ClusterState.RUNNING, health=ClusterHealth.HEALTHY)
    announce_subject(sixty[2].subject)

    expect(row.get_by_text("Running")).to_be_visible()
    expect(row.get_by_text("Healthy")).to_be_visible()


def test_rows_stay_live_after_a_change_of_the_filter(
    page: Page, portal: str, sixty: list[Cluster], admin: User
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/clusters/?state=Pending")
    expect(page.get_by_text("No cluster matches")).to_be_visible()
    page.get_by_label("Search name or endpoint").fill("nothing")
    page.wait_for_url("**q=nothing**")
    page.get_by_role("button", name="State", exact=True).click()
    page.locator("#state-menu").get_by_text("Pending").click()
    page.get_by_label("Search name or endpoint").fill(sixty[2].name)
    row = page.locator("tr", has_text=sixty[2].name)
    expect(row.get_by_text("Provisioning")).to_be_visible()

    Cluster.objects.filter(pk=sixty[2].pk).update(state=ClusterState.RUNNING)
    announce_subject(sixty[2].subject)

    expect(row.get_by_text("Running")).to_be_visible()


def test_list_is_exported(page: Page, portal: str, sixty: list[Cluster], admin: User) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/clusters/?q=prod")

    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()

    lines = Path(download.value.path()).read_text().splitlines()
    assert download.value.suggested_filename == "clusters.csv"
    assert len(lines) == 31


def test_empty_list_says_what_will_fill_it(
    page: Page, portal: str, admin: User, check_accessible: Check
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/clusters/")

    expect(page.get_by_text("No clusters yet")).to_be_visible()
    show(page, "clusters-empty", check_accessible)


def test_tabs_of_a_cluster(
    page: Page, portal: str, shop: Cluster, admin: User, check_accessible: Check
) -> None:
    for number in range(12):
        severity = (Severity.INFO, Severity.WARNING, Severity.ERROR)[number % 3]
        message = f"shop-prod-cp-{number} was cloned to esx-12.acme.test (14.7 s)."
        record_event(subject=shop.subject, severity=severity, reason="MachineCloned", message=message)
    sign_in(page, portal, admin)
    page.goto(f"{portal}/clusters/{shop.pk}/")
    expect(page.get_by_text("BootstrappingDone")).to_be_visible()
    expect(page.get_by_text("Version 3.2.0 of vmware-base is published.")).to_be_visible()
    show(page, "cluster-overview", check_accessible)

    page.get_by_role("link", name="Nodes", exact=True).click()
    expect(page.get_by_role("heading", name="worker-pool")).to_be_visible()
    page.get_by_role("button", name="Console of shop-prod-cp-1").click()
    expect(page.get_by_text("ssh spectro@10.10.183.41")).to_be_visible()
    show(page, "cluster-nodes", check_accessible)
    page.keyboard.press("Escape")

    page.get_by_role("link", name="Events", exact=True).click()
    show(page, "cluster-events", check_accessible)
    page.get_by_text("Warning", exact=True).first.click()
    page.wait_for_url("**severity=Warning**")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert len(Path(download.value.path()).read_text().splitlines()) == 5

    page.get_by_role("link", name="Settings", exact=True).click()
    expect(page.get_by_text("Where people buy things.")).to_be_visible()
    show(page, "cluster-settings", check_accessible)


def test_conditions_follow_the_steps(
    page: Page, portal: str, shop: Cluster, admin: User, check_accessible: Check
) -> None:
    Cluster.objects.filter(pk=shop.pk).update(state=ClusterState.PROVISIONING, running_at=None)
    find = StepSpec(
        "image-found", "Provide image template", "clusters.steps.images.ensure_image_template_found"
    )
    operation = start_operation(kind=OperationKind.PROVISION, subject=shop.subject, steps=[find], by=admin)
    sign_in(page, portal, admin)
    page.goto(f"{portal}/clusters/{shop.pk}/")
    condition = page.locator(".conditions li", has_text="ImageResolutionDone")
    expect(condition).to_contain_text("NotStarted")

    operation.steps.update(
        state="Retrying", failures=1, attempt=1, reason="TemplateNotFound", message="There is no template."
    )
    announce_subject(shop.subject)

    expect(condition).to_contain_text("TemplateNotFound")
    expect(condition).to_contain_text("There is no template.")
    show(page, "cluster-provisioning", check_accessible)


def test_kubeconfig_is_downloaded(
    page: Page, portal: str, shop: Cluster, admin: User, check_accessible: Check
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/clusters/{shop.pk}/")

    page.get_by_role("link", name="Kubeconfig").click()
    page.get_by_role("dialog").get_by_text("24 hours").click()
    show(page, "cluster-kubeconfig", check_accessible)
    with page.expect_download() as download:
        page.get_by_role("dialog").get_by_role("button", name="Download").click()

    assert download.value.suggested_filename == "shop-prod.kubeconfig"
    document = yaml.safe_load(Path(download.value.path()).read_text())
    assert document["current-context"] == f"{admin.email}@shop-prod"
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("link", name="Events", exact=True).click()
    expect(page.get_by_text("downloaded a kubeconfig that is valid for 24 hours")).to_be_visible()


def test_kubeconfig_button_says_why_it_is_not_for_an_editor(
    page: Page, portal: str, shop: Cluster, check_accessible: Check
) -> None:
    sign_in(page, portal, bao())
    page.goto(f"{portal}/clusters/{shop.pk}/")

    page.get_by_role("button", name="Kubeconfig").hover()

    expect(page.get_by_role("tooltip").get_by_text("download kubeconfig files")).to_be_visible()
    check_accessible(page)


def test_support_reads_archived_events(page: Page, portal: str, shop: Cluster) -> None:
    event = record_event(subject=shop.subject, severity=Severity.INFO, reason="Old", message="Long ago.")
    event.archived_at = timezone.now()
    event.save(update_fields=["archived_at"])
    sign_in(page, portal, make_user("sam", Role.SUPPORT))
    page.goto(f"{portal}/clusters/{shop.pk}/events/")
    expect(page.get_by_text("No events yet")).to_be_visible()

    page.get_by_label("Archived too").check()

    expect(page.get_by_text("Long ago.")).to_be_visible()
