"""What an admin does to a gateway from its menu: reset, delete, rename, with and without JavaScript."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone
from playwright.sync_api import Browser, Locator, Page, expect

from clusters.models import Cluster, ClusterSecrets
from clusters.states import ClusterState, MachineState
from gateways.actions.delete import delete_gateway
from gateways.models import PrivateCloudGateway
from gateways.states import GatewayState
from palette_portal.orchestration.actions import announce_subject, start_operation
from palette_portal.orchestration.models import Operation, OperationKind, OperationState, StepState
from palette_portal.orchestration.outcomes import Wait
from palette_portal.orchestration.steps import StepContext, StepSpec
from palette_portal.tenants.models import User
from tests.browser.people import sign_in
from tests.engine import run_to_end
from tests.factories import (
    amelia,
    make_cluster,
    make_gateway,
    make_machine,
    make_machine_pool,
    make_pool,
    make_project,
    make_release,
)

SCREENSHOTS = os.environ.get("SCREENSHOTS", "")
Check = Callable[[Page], None]


def wait_for_ever(context: StepContext) -> Wait:
    return Wait(600, "The vCenter does not answer.")


@pytest.fixture
def admin(portal: str) -> User:
    return amelia()


@pytest.fixture
def gateway(admin: User) -> PrivateCloudGateway:
    return make_gateway(
        name="dc-east",
        state=GatewayState.PROVISIONING,
        vcenter_server="vcenter-east.acme.test",
        release=make_release(),
    )


@pytest.fixture
def cluster(gateway: PrivateCloudGateway, admin: User) -> Cluster:
    """Three machines planned; none was begun."""
    cluster = make_cluster(gateway, name="dc-east", state=ClusterState.PROVISIONING)
    pool = make_machine_pool(cluster, size=3)
    for index in (1, 2, 3):
        make_machine(pool, index=index, name=f"dc-east-cp-{index}", ip_address=f"10.10.183.2{index}")
    stuck = StepSpec("stuck", "Validate cloud account", "tests.browser.test_gateway_life.wait_for_ever")
    start_operation(kind=OperationKind.PROVISION, subject=cluster.subject, steps=[stuck], by=admin)
    return cluster


def choose(page: Page, name: str, *, gateway: str = "dc-east") -> None:
    page.get_by_role("button", name=f"Actions for {gateway}").click()
    page.locator(".menu:popover-open").get_by_text(name, exact=True).click()


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


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


def test_reset_from_the_widget_to_the_wizard(
    page: Page, portal: str, cluster: Cluster, admin: User, check_accessible: Check
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/gateways/")

    choose(page, "Reset")
    expect(dialog(page)).to_contain_text("dc-east-cp-3")
    show(page, "life-reset", check_accessible)
    dialog(page).get_by_role("button", name="Reset gateway").click()

    page.wait_for_url(f"**/clusters/{cluster.pk}/")
    expect(page.get_by_text("Remove virtual machine").first).to_be_visible()
    show(page, "life-reset-steps", check_accessible)
    run_to_end(Operation.objects.get(state=OperationState.RUNNING))
    page.get_by_role("link", name="Configure it again").click()
    expect(page.get_by_label("vCenter server")).to_be_visible()


def test_reset_that_came_too_late_says_why_in_the_dialog(
    page: Page, portal: str, cluster: Cluster, gateway: PrivateCloudGateway, admin: User, quiet: list[str]
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/clusters/{cluster.pk}/")
    choose(page, "Reset")
    expect(dialog(page)).to_be_visible()
    PrivateCloudGateway.objects.filter(pk=gateway.pk).update(state=GatewayState.RUNNING)

    dialog(page).get_by_role("button", name="Reset gateway").click()

    expect(dialog(page).get_by_role("alert")).to_contain_text("The gateway is running")
    expect(dialog(page).get_by_role("button", name="Reset gateway")).to_have_count(0)
    quiet.clear()


def test_delete_needs_the_name_and_leads_to_the_steps(
    page: Page,
    portal: str,
    cluster: Cluster,
    gateway: PrivateCloudGateway,
    admin: User,
    check_accessible: Check,
) -> None:
    make_pool(gateway, name="gateway-pool")
    sign_in(page, portal, admin)
    page.goto(f"{portal}/gateways/")

    choose(page, "Delete")
    button = dialog(page).get_by_role("button", name="Delete gateway")
    expect(button).to_be_disabled()
    show(page, "life-delete", check_accessible)
    page.get_by_label("Type dc-east to confirm").fill("dc-east")
    button.click()

    page.wait_for_url(f"**/clusters/{cluster.pk}/")
    run_to_end(Operation.objects.get(state=OperationState.RUNNING))
    expect(page.get_by_text("Remove its installer VM in vCenter")).to_be_visible()


def test_delete_of_a_gateway_in_use_shows_links(
    page: Page,
    portal: str,
    gateway: PrivateCloudGateway,
    admin: User,
    check_accessible: Check,
    quiet: list[str],
) -> None:
    for name in ("shop", "payments-api"):
        make_cluster(gateway, name=name, project=make_project(admin.tenant), state=ClusterState.RUNNING)
    sign_in(page, portal, admin)
    page.goto(f"{portal}/gateways/")

    choose(page, "Delete")

    expect(dialog(page).get_by_role("link", name="shop")).to_be_visible()
    expect(dialog(page).get_by_role("button", name="Delete gateway")).to_have_count(0)
    show(page, "life-delete-in-use", check_accessible)
    quiet.clear()


def test_deleted_gateway_vanishes_from_an_open_list(
    page: Page, portal: str, gateway: PrivateCloudGateway, admin: User
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/gateways/")
    expect(page.get_by_role("link", name="dc-east")).to_be_visible()

    delete_gateway(gateway=gateway, by=admin)

    expect(page.get_by_role("link", name="dc-east")).to_have_count(0)


def test_remove_anyway_after_the_deletion_failed(
    page: Page,
    portal: str,
    cluster: Cluster,
    gateway: PrivateCloudGateway,
    admin: User,
    check_accessible: Check,
) -> None:
    delete_gateway(gateway=gateway, by=admin)
    steps = Operation.objects.get(state=OperationState.RUNNING).steps.filter(key="nothing-left")
    message = "The vCenter vcenter-east.acme.test does not answer."
    steps.update(state=StepState.RETRYING, due_at=timezone.now(), failures=3, attempt=3, message=message)
    sign_in(page, portal, admin)
    page.goto(f"{portal}/gateways/")

    choose(page, "Remove anyway")
    expect(dialog(page)).to_contain_text("dc-east-cp-2")
    show(page, "life-remove-anyway", check_accessible)
    page.get_by_label("Type dc-east to confirm").fill("dc-east")
    dialog(page).get_by_role("button", name="Remove anyway").click()

    expect(page.get_by_role("link", name="dc-east")).to_have_count(0)
    gateway.refresh_from_db()
    assert gateway.state == GatewayState.DELETED


def test_rename_in_the_dialog(
    page: Page,
    portal: str,
    cluster: Cluster,
    gateway: PrivateCloudGateway,
    admin: User,
    check_accessible: Check,
    quiet: list[str],
) -> None:
    make_gateway(name="dc-west")
    sign_in(page, portal, admin)
    page.goto(f"{portal}/gateways/")
    choose(page, "Rename")
    dialog(page).get_by_role("textbox").fill("dc-west")
    dialog(page).get_by_role("button", name="Rename gateway").click()
    expect(dialog(page).get_by_text("Another gateway is called dc-west")).to_be_visible()
    quiet.clear()
    show(page, "life-rename", check_accessible)

    dialog(page).get_by_role("textbox").fill("dc-north")
    dialog(page).get_by_role("button", name="Rename gateway").click()

    expect(page.get_by_role("link", name="dc-north")).to_be_visible()


def test_menu_and_widget_of_a_gateway_that_runs(
    page: Page,
    portal: str,
    gateway: PrivateCloudGateway,
    cluster: Cluster,
    check_accessible: Check,
    admin: User,
) -> None:
    now = timezone.now()
    PrivateCloudGateway.objects.filter(pk=gateway.pk).update(state=GatewayState.RUNNING, running_at=now)
    Cluster.objects.filter(pk=cluster.pk).update(state=ClusterState.RUNNING, health="Unhealthy")
    Operation.objects.update(state=OperationState.SUCCEEDED, finished_at=now)
    cluster.machines.update(state=MachineState.RUNNING, last_report_at=now, kubelet_version="v1.31.2")
    cluster.machines.filter(index=2).update(last_report_at=now - timedelta(minutes=25))
    ClusterSecrets.objects.create(
        cluster=cluster,
        pki="-",
        admin_kubeconfig="-",
        bootstrap_token="-",
        certificates_expire_at=now + timedelta(days=340),
    )
    sign_in(page, portal, admin)
    page.goto(f"{portal}/gateways/")

    page.get_by_role("button", name="Actions for dc-east").click()

    expect(page.get_by_text("Reset takes back a provisioning that is not finished")).to_be_visible()
    expect(page.get_by_text("1 of 3 nodes is silent")).to_be_visible()
    show(page, "life-menu", check_accessible)


def test_open_menu_stays_open_when_the_widget_changes(
    page: Page, portal: str, gateway: PrivateCloudGateway, admin: User
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/gateways/")
    page.get_by_role("button", name="Actions for dc-east").click()

    PrivateCloudGateway.objects.filter(pk=gateway.pk).update(vcenter_server="vcenter-moved.acme.test")
    with transaction.atomic():
        announce_subject(gateway.subject)

    expect(page.get_by_text("vcenter-moved.acme.test")).to_be_attached()
    expect(page.get_by_role("link", name="Rename")).to_be_visible()


def test_reset_without_javascript(browser: Browser, portal: str, cluster: Cluster, admin: User) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, portal, admin)
    page.goto(f"{portal}/gateways/")
    choose(page, "Reset")
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS) / "life-reset-page.png")

    page.get_by_role("button", name="Reset gateway").click()

    expect(page.get_by_text("Remove virtual machine").first).to_be_visible()
    context.close()
