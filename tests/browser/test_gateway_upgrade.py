"""A gateway of three nodes is upgraded on the lab's vCenter as an admin sees it, or taken back."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from clusters.actions.queue import why_queued
from clusters.states import ClusterState
from gateways.actions.system import ensure_system_gateway
from gateways.models import PrivateCloudGateway
from palette_portal.orchestration.actions import start_operation
from palette_portal.orchestration.models import Operation, OperationKind
from palette_portal.orchestration.outcomes import Wait
from palette_portal.orchestration.steps import StepContext, StepSpec
from palette_portal.tenants.models import User
from palette_portal.vsphere.session import sessions
from tests.browser.people import sign_in
from tests.browser.test_gateway_life import dialog, show
from tests.factories import amelia, make_release
from tests.integration.provisioning.stage import Stage, make_stage
from tests.integration.removal import scene
from tests.integration.upgrades.scene import NEW_IMAGE, OLD_IMAGE, images, publish, tenant_cluster
from tests.lab.api import VSphere
from tests.lab.fixtures import guests, lab, lab_server, vcenter  # noqa: F401
from tests.lab.guests import Guests
from tests.lab.vcsim import Lab

Check = Callable[[Page], None]
BUSY = StepSpec("busy", "Keep busy", "tests.browser.test_gateway_upgrade.wait_for_ever")
NOTES = "Kubernetes 1.32.3.\nA kernel with the fixes of October.\n\nkube-vip 0.8."


def wait_for_ever(context: StepContext) -> Wait:
    return Wait(600, "Busy.")


@pytest.fixture
def admin(portal: str) -> User:
    return amelia()


@pytest.fixture
def stage(
    admin: User,
    portal: str,
    settings: Any,
    lab: Lab,  # noqa: F811
    vcenter: VSphere,  # noqa: F811
    guests: Guests,  # noqa: F811
) -> Iterator[Stage]:
    """A running gateway of three nodes with release 1.0.0; release 1.1.0 is published."""
    settings.PUBLIC_URL = portal
    lab.set_durations(clone_seconds=0.05, power_on_seconds=0.02)
    with ExitStack() as closing:
        stage = make_stage(lab, vcenter, closing)
        facts = {"name": "dc-east", "size": 3, "release": make_release("1.0.0")}
        PrivateCloudGateway.objects.filter(pk=stage.gateway.pk).update(**facts)
        stage.gateway.refresh_from_db()
        stage.guests.is_watching = False
        scene.provision(stage, nodes=3)
        scene.finish(stage)
        stage.gateway.refresh_from_db()
        publish(notes=NOTES)
        ensure_system_gateway(stage.gateway.tenant)
        yield stage
        sessions.close_all()


def widget(page: Page, name: str = "dc-east") -> Locator:
    return page.get_by_role("article", name=name)


def wish(stage: Stage, name: str) -> Operation:
    """What a deployment does while the gateway is upgraded."""
    cluster = tenant_cluster(stage, name, ClusterState.PROVISIONING)
    return start_operation(
        kind=OperationKind.PROVISION,
        subject=cluster.subject,
        steps=[BUSY],
        by=None,
        queued_because=why_queued(cluster),
    )


def test_upgrade_from_the_notice_to_the_end(
    page: Page, portal: str, stage: Stage, admin: User, check_accessible: Check
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/gateways/")
    expect(widget(page)).to_contain_text("Release 1.1.0 is available.")
    expect(widget(page, "System gateway")).to_contain_text("The portal itself.")
    show(page, "upgrade-notice", check_accessible)

    widget(page).get_by_role("link", name="Review upgrade").click()
    expect(dialog(page)).to_contain_text("The 3 nodes are replaced one by one")
    expect(dialog(page)).to_contain_text("About 30 minutes")
    show(page, "upgrade-review", check_accessible)
    dialog(page).get_by_role("button", name="Upgrade gateway").click()

    page.wait_for_url(f"**/clusters/{stage.cluster.pk}/")
    expect(page.get_by_text("dc-east is being upgraded to 1.1.0.")).to_be_visible()
    wishes = [wish(stage, f"app-{number}") for number in range(1, 6)]
    scene.follow_latest(stage)
    stage.go_on_until(lambda: stage.step("dc-east-cp-4/ready").state == "Done")
    expect(page.locator("#cluster-state")).to_contain_text("Being upgraded to release 1.1.0.")
    show(page, "upgrade-steps", check_accessible)
    page.goto(f"{portal}/gateways/")
    expect(widget(page)).to_contain_text("Upgrading")
    expect(widget(page)).to_contain_text("5 in the queue.")
    show(page, "upgrade-widget", check_accessible)
    page.goto(f"{portal}/clusters/{wishes[1].subject_id}/")
    expect(page.locator("#cluster-state")).to_contain_text("2nd in the queue")
    show(page, "upgrade-queued", check_accessible)

    scene.finish(stage)

    expect(page.locator("#cluster-state")).to_contain_text("Keep busy")
    page.goto(f"{portal}/gateways/")
    expect(widget(page)).to_contain_text("3 of 3 ready")
    expect(widget(page)).not_to_contain_text("in the queue")
    expect(widget(page)).not_to_contain_text("is available")
    expect(widget(page)).not_to_contain_text("Upgrading")
    assert images(stage) == [NEW_IMAGE] * 3
    show(page, "upgrade-done", check_accessible)


def test_upgrade_that_fails_in_the_middle_is_rolled_back(
    page: Page,
    portal: str,
    stage: Stage,
    guests: Guests,  # noqa: F811
    admin: User,
    check_accessible: Check,
) -> None:
    guests.faults.add("kubeadm-fails", "dc-east-cp-5")
    sign_in(page, portal, admin)
    page.goto(f"{portal}/clusters/{stage.cluster.pk}/")
    page.get_by_role("link", name="Review upgrade").click()
    dialog(page).get_by_role("button", name="Upgrade gateway").click()
    expect(page.get_by_text("dc-east is being upgraded to 1.1.0.")).to_be_visible()
    scene.follow_latest(stage)
    stage.go_on_until(stage.fails_with("dc-east-cp-5/in-cluster", "NodeBootstrapFailed"))
    expect(page.get_by_text("dc-east-cp-5 could not set itself up.").first).to_be_visible()
    show(page, "upgrade-failed", check_accessible)

    page.get_by_role("link", name="Roll back").click()
    expect(dialog(page)).to_contain_text("dc-east-cp-5")
    show(page, "upgrade-roll-back", check_accessible)
    dialog(page).get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("dc-east is being rolled back to 1.0.0.")).to_be_visible()
    scene.follow_latest(stage)
    stage.go_on_until(lambda: stage.operation.steps.count() > 2)
    expect(page.locator("#cluster-state")).to_contain_text("Going back to release 1.0.0.")
    show(page, "upgrade-going-back", check_accessible)

    scene.finish(stage)

    expect(page.locator("#cluster-state")).to_contain_text("Release 1.1.0 is available.")
    page.goto(f"{portal}/gateways/")
    expect(widget(page)).to_contain_text("3 of 3 ready")
    assert images(stage) == [OLD_IMAGE] * 3
    show(page, "upgrade-rolled-back", check_accessible)


def test_upgrade_without_a_spare_address_says_so(
    page: Page, portal: str, stage: Stage, admin: User, check_accessible: Check, quiet: list[str]
) -> None:
    stage.pool.end = "10.10.183.23"
    stage.pool.save()
    sign_in(page, portal, admin)
    page.goto(f"{portal}/gateways/")

    widget(page).get_by_role("link", name="Review upgrade").click()

    expect(dialog(page)).to_contain_text("has no free address, and a new node joins before an old one leaves")
    expect(dialog(page).get_by_role("button", name="Upgrade gateway")).to_have_count(0)
    show(page, "upgrade-no-address", check_accessible)
    quiet.clear()
