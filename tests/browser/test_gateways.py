"""The gateway pages and the Cluster Details page as a person sees them: live, accessible, in both themes."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from clusters.models import Cluster, Machine
from clusters.states import ClusterState, MachineState
from gateways.actions.pairing import Registration, create_gateway, register_installer
from gateways.models import PairingCode, PrivateCloudGateway
from gateways.states import GatewayState
from palette_portal.orchestration.actions import record_event, start_operation
from palette_portal.orchestration.models import OperationKind, Severity, StepState
from palette_portal.orchestration.outcomes import Done
from palette_portal.orchestration.steps import StepContext, StepSpec
from palette_portal.tenants.models import User
from tests.browser.people import sign_in
from tests.engine import run_due_steps
from tests.factories import amelia, bao, make_cluster, make_gateway, make_machine_pool, make_release

SCREENSHOTS = os.environ.get("SCREENSHOTS", "")
HERE = "tests.browser.test_gateways.do_nothing"
STEPS = (
    StepSpec("account", "Validate vCenter account", HERE),
    StepSpec("placement", "Check placement", HERE, depends_on=("account",)),
    StepSpec("clone-1", "Clone virtual machine", HERE, depends_on=("placement",), group="dc-east-cp-1"),
    StepSpec("power-1", "Power on", HERE, depends_on=("clone-1",), group="dc-east-cp-1"),
    StepSpec("clone-2", "Clone virtual machine", HERE, depends_on=("placement",), group="dc-east-cp-2"),
    StepSpec("power-2", "Power on", HERE, depends_on=("clone-2", "power-1"), group="dc-east-cp-2"),
    StepSpec("ready", "Wait until every node is ready", HERE, depends_on=("power-2",)),
)


def do_nothing(context: StepContext) -> Done:
    return Done()


@pytest.fixture
def admin(portal: str) -> User:
    return amelia()


@pytest.fixture
def cluster(admin: User) -> Cluster:
    """A gateway in the middle of its provisioning, with one step in trouble."""
    gateway = make_gateway(
        name="dc-east",
        state=GatewayState.PROVISIONING,
        size=3,
        vcenter_server="vcenter-east.acme.test",
        release=make_release(),
    )
    cluster = make_cluster(gateway, name="dc-east", created_by=admin, state=ClusterState.PROVISIONING)
    pool = make_machine_pool(cluster, size=3)
    for index in (1, 2, 3):
        Machine.objects.create(
            cluster=cluster,
            pool=pool,
            placement=pool.placements.get(),
            index=index,
            name=f"dc-east-cp-{index}",
            state=MachineState.PROVISIONING,
            ip_address=f"10.10.183.2{index}",
        )
    operation = start_operation(kind=OperationKind.PROVISION, subject=cluster.subject, steps=STEPS, by=admin)
    now = timezone.now()
    operation.steps.filter(key="account").update(
        state=StepState.DONE,
        first_started_at=now,
        finished_at=now,
        message="vCenter 8.0.2 accepted the account.",
    )
    operation.steps.filter(key="placement").update(
        state=StepState.RETRYING,
        attempt=2,
        first_started_at=now,
        due_at=now + timedelta(seconds=50),
        reason="DatastoreFull",
        message="Datastore shared-1 has 12 GB free; 180 GB are needed.",
        hint="Free space on shared-1, or reset the gateway and choose another datastore.",
    )
    return cluster


def show_themes(page: Page, name: str, check: Callable[[Page], None]) -> None:
    """Look at the page in both themes and at phone width; keep the pictures where SCREENSHOTS says."""
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        for width, height in ((1440, 900), (390, 844)):
            page.set_viewport_size({"width": width, "height": height})
            check(page)
            overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(overflow) <= 0
            if SCREENSHOTS:
                page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{width}-{theme}.png")
    page.set_viewport_size({"width": 1440, "height": 900})


def test_create_gateway_notices_the_installer_live(page: Page, portal: str, admin: User) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/gateways/")
    expect(page.get_by_text("No gateway yet")).to_be_visible()

    page.get_by_role("button", name="Create Private Cloud Gateway").click()
    page.get_by_role("button", name="VMware").click()
    code = page.locator(".pairing-code .mono").inner_text()
    expect(page.get_by_text("Waiting for the installer to register")).to_be_visible()
    register_installer(
        Registration(
            pairing_code=code, name="dc-east", ip_address="10.10.0.9", version="1.0.0", instance_uuid=uuid4()
        )
    )

    expect(page.get_by_text("dc-east has registered from 10.10.0.9")).to_be_visible()
    page.get_by_role("link", name="configure the gateway").click()
    expect(page.get_by_label("vCenter server")).to_be_visible()


def test_list_updates_a_widget_live(page: Page, portal: str, admin: User) -> None:
    gateway = make_gateway(name="dc-west")
    sign_in(page, portal, admin)
    page.goto(f"{portal}/gateways/")
    expect(page.get_by_role("link", name="Configure")).to_be_visible()

    PrivateCloudGateway.objects.filter(pk=gateway.pk).update(
        state=GatewayState.RUNNING, running_at=timezone.now()
    )
    record_event(subject=gateway.subject, severity=Severity.INFO, reason="GatewayRunning", message="Ready.")

    expect(page.get_by_text("Ready to deploy clusters")).to_be_visible()
    expect(page.get_by_role("link", name="Configure")).to_have_count(0)


def test_list_shows_a_gateway_that_somebody_else_creates(page: Page, portal: str, admin: User) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/gateways/")
    expect(page.get_by_text("No gateway yet")).to_be_visible()

    create_gateway(tenant=admin.tenant, by=admin)

    expect(page.get_by_text("Waiting for the installer VM")).to_be_visible()
    expect(page.get_by_text("No gateway yet")).to_have_count(0)


def test_whole_widget_leads_to_cluster_details(
    page: Page, portal: str, cluster: Cluster, admin: User
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/gateways/")

    page.locator(".gw").click(position={"x": 200, "y": 60})

    page.wait_for_url(f"**/clusters/{cluster.pk}/")


def test_steps_change_live(page: Page, portal: str, cluster: Cluster, admin: User) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/clusters/{cluster.pk}/")
    expect(page.get_by_text("Datastore shared-1 has 12 GB free")).to_be_visible()

    with page.expect_response("**/retry/"):
        page.get_by_role("button", name="Retry now").click()
    run_due_steps()

    expect(page.locator('.step[data-s="done"]')).to_have_count(len(STEPS))


def test_events_arrive_live_and_respect_the_filter(
    page: Page, portal: str, cluster: Cluster, admin: User
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/clusters/{cluster.pk}/events/")
    page.get_by_text("Error", exact=True).click()
    page.wait_for_url("**severity=Error**")
    expect(page.get_by_text("No event matches")).to_be_visible()

    for severity, reason in ((Severity.INFO, "MachineCloned"), (Severity.ERROR, "CloneFailed")):
        record_event(subject=cluster.subject, severity=severity, reason=reason, message=f"{reason} happened.")

    expect(page.get_by_text("CloneFailed happened.")).to_be_visible()
    expect(page.get_by_text("MachineCloned happened.")).to_have_count(0)
    expect(page.get_by_text("No event matches")).to_be_hidden()


def test_events_load_older_ones_on_scroll(page: Page, portal: str, cluster: Cluster, admin: User) -> None:
    for number in range(120):
        record_event(
            subject=cluster.subject, severity=Severity.INFO, reason="Numbered", message=f"Line {number}."
        )
    sign_in(page, portal, admin)
    page.goto(f"{portal}/clusters/{cluster.pk}/events/")
    expect(page.locator("tr[id^=ev-]")).to_have_count(50)

    page.locator("tr.more").scroll_into_view_if_needed()

    expect(page.locator("tr[id^=ev-]").nth(60)).to_be_attached()


def test_events_lose_and_repeat_nothing_while_the_tab_is_hidden(
    page: Page, portal: str, cluster: Cluster, admin: User
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/clusters/{cluster.pk}/events/")
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    for number in range(5):
        record_event(
            subject=cluster.subject, severity=Severity.INFO, reason="Numbered", message=f"Line {number}."
        )

    page.evaluate("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    for number in range(5):
        expect(page.get_by_text(f"Line {number}.")).to_have_count(1)


def test_pages_are_accessible_in_both_themes(
    page: Page, portal: str, cluster: Cluster, admin: User, check_accessible: Callable[[Page], None]
) -> None:
    waiting = make_gateway(registered=False)
    make_gateway(name="dc-west")
    running = make_gateway(
        name="dc-north", state=GatewayState.RUNNING, running_at=timezone.now(), release=make_release()
    )
    make_cluster(running, name="dc-north", state=ClusterState.RUNNING)
    for number in range(12):
        record_event(
            subject=cluster.subject,
            severity=Severity.WARNING if number % 5 == 0 else Severity.INFO,
            reason="MachineCloned",
            message=f"Cloned dc-east-cp-{number}.",
            object_name=f"dc-east-cp-{number}",
        )
    sign_in(page, portal, admin)

    for name, path in {
        "gateways": "/gateways/",
        "gateway-install": f"/gateways/{waiting.pk}/install/",
        "cluster-overview": f"/clusters/{cluster.pk}/",
        "cluster-nodes": f"/clusters/{cluster.pk}/nodes/",
        "cluster-events": f"/clusters/{cluster.pk}/events/",
        "clusters": "/clusters/",
    }.items():
        page.goto(portal + path)
        show_themes(page, name, check_accessible)


def test_pages_that_refuse_or_warn_are_accessible(
    page: Page, portal: str, admin: User, check_accessible: Callable[[Page], None], quiet: list[str]
) -> None:
    overdue, _ = create_gateway(tenant=admin.tenant, by=admin)
    PairingCode.objects.update(created_at=timezone.now() - timedelta(minutes=11))
    running = make_gateway(name="dc-north", state=GatewayState.RUNNING, running_at=timezone.now())
    sign_in(page, portal, admin)

    for name, path, sentence in (
        ("gateway-overdue", f"/gateways/{overdue.pk}/install/", "has not registered within 10 minutes"),
        ("conflict", f"/gateways/{running.pk}/configure/", "only a Pending gateway can be configured"),
        ("not-found", "/gateways/none/", "start page"),
    ):
        page.goto(portal + path)
        expect(page.get_by_text(sentence).first).to_be_visible()
        show_themes(page, name, check_accessible)
    # Browsers write every answer of 400 and more to the console.
    quiet.clear()


def test_page_that_is_denied_says_which_role_is_needed(
    page: Page, portal: str, check_accessible: Callable[[Page], None], quiet: list[str]
) -> None:
    sign_in(page, portal, bao())
    page.goto(f"{portal}/gateways/")

    expect(page.get_by_text("You need the role")).to_be_visible()
    show_themes(page, "denied", check_accessible)
    quiet.clear()
