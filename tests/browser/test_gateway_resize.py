"""A gateway of one node becomes one of three, seen from the widget, on the lab's vCenter."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from gateways.models import PrivateCloudGateway
from palette_portal.orchestration.actions import announce_subject
from palette_portal.orchestration.models import StepState
from palette_portal.tenants.models import User
from palette_portal.vsphere.session import sessions
from tests.browser.people import sign_in
from tests.browser.test_gateway_life import choose, dialog, show
from tests.factories import amelia
from tests.integration.provisioning.stage import Stage, make_stage
from tests.integration.removal import scene
from tests.lab.api import VSphere
from tests.lab.fixtures import guests, lab, lab_server, vcenter  # noqa: F401
from tests.lab.guests import Guests
from tests.lab.vcsim import Lab

Check = Callable[[Page], None]


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
    """A running gateway of one node; the lab's guests report to the portal that the browser sees."""
    settings.PUBLIC_URL = portal
    lab.set_durations(clone_seconds=0.05, power_on_seconds=0.02)
    with ExitStack() as closing:
        stage = make_stage(lab, vcenter, closing)
        PrivateCloudGateway.objects.filter(pk=stage.gateway.pk).update(name="dc-east")
        stage.gateway.refresh_from_db()
        stage.guests.is_watching = False
        scene.provision(stage)
        scene.finish(stage)
        yield stage
        sessions.close_all()


def test_resize_from_the_widget_to_three_nodes(
    page: Page, portal: str, stage: Stage, admin: User, check_accessible: Check
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/gateways/")

    choose(page, "Resize")
    expect(dialog(page)).to_contain_text("2 for nodes and 1 extra")
    expect(dialog(page)).to_contain_text("shared-nfs-1")
    show(page, "resize-dialog", check_accessible)
    dialog(page).get_by_role("button", name="Resize gateway").click()

    page.wait_for_url(f"**/clusters/{stage.cluster.pk}/")
    expect(page.get_by_text("Two more nodes are joining dc-east.")).to_be_visible()
    scene.follow_latest(stage)
    stage.lab.fail("CloneVM_Task", "InsufficientStorageSpace", at="task", name="dc-east-cp-3")
    stage.go_on_until(lambda: stage.step("dc-east-cp-3/cloned").state == StepState.RETRYING)
    expect(page.get_by_text("datastore").first).to_be_visible()
    show(page, "resize-steps", check_accessible)
    page.goto(f"{portal}/gateways/")
    expect(page.get_by_text("Resize:")).to_be_visible()
    show(page, "resize-widget", check_accessible)

    scene.finish(stage)

    expect(page.get_by_text("3 of 3 ready")).to_be_visible()
    page.get_by_role("button", name="Actions for dc-east").click()
    expect(page.get_by_text("Three nodes cannot become one").first).to_be_visible()
    show(page, "resize-done", check_accessible)


def test_resize_without_enough_addresses_says_what_is_missing(
    page: Page, portal: str, stage: Stage, admin: User, check_accessible: Check
) -> None:
    stage.pool.end = "10.10.183.22"
    stage.pool.save()
    sign_in(page, portal, admin)
    page.goto(f"{portal}/gateways/")

    choose(page, "Resize")

    expect(dialog(page)).to_contain_text("3 are needed: 2 for nodes and 1 extra")
    expect(dialog(page)).to_contain_text("Make the pool larger")
    expect(dialog(page).get_by_role("button", name="Resize gateway")).to_have_count(0)
    show(page, "resize-no-room", check_accessible)


def test_resize_that_came_too_late_says_why_in_the_dialog(
    page: Page, portal: str, stage: Stage, admin: User, quiet: list[str]
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/gateways/")
    choose(page, "Resize")
    expect(dialog(page).get_by_role("button", name="Resize gateway")).to_be_visible()
    PrivateCloudGateway.objects.filter(pk=stage.gateway.pk).update(size=3)
    with transaction.atomic():
        announce_subject(stage.gateway.subject)

    dialog(page).get_by_role("button", name="Resize gateway").click()

    expect(dialog(page).get_by_role("alert")).to_contain_text("Three nodes cannot become one")
    quiet.clear()
