"""How a cluster goes, as a project admin, an editor and support see it, and what remains of it."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from playwright.sync_api import Page, expect

from clusters.models import Cluster, Leftover, LeftoverKind, Machine
from clusters.states import ClusterState
from gateways import login_test
from palette_portal.orchestration.actions import announce_subject
from palette_portal.orchestration.models import Operation, OperationKind
from palette_portal.tenants.models import User
from palette_portal.tenants.roles import Role
from palette_portal.vsphere.errors import LoginRefused
from tests.browser.people import sign_in
from tests.factories import bao, make_cluster, make_machine, make_machine_pool, make_project, make_user

SCREENSHOTS = os.environ.get("SCREENSHOTS", "")
Check = Callable[[Page], None]


def shoot(page: Page, name: str) -> None:
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{SCREENSHOTS}/leaving-{name}.png")


@pytest.fixture(autouse=True)
def _logins_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login_test, "_log_in", lambda account: True)


@pytest.fixture
def project_admin(portal: str) -> User:
    return make_user("pia", Role.PROJECT_ADMIN, project=make_project())


def make(state: ClusterState, *, nodes: int = 4, minutes: float = 0, **fields) -> Cluster:
    cluster = make_cluster(project=make_project(), name="shop-eu-1", state=state, **fields)
    pool = make_machine_pool(cluster)
    for index in range(1, nodes + 1):
        make_machine(pool, index=index, ip_address=f"10.10.183.{20 + index}")
    if state == ClusterState.DELETING:
        Cluster.objects.filter(pk=cluster.pk).update(deleting_at=Now() - timedelta(minutes=minutes))
    return cluster


def open_page(page: Page, portal: str, user: User, cluster: Cluster) -> None:
    sign_in(page, portal, user)
    page.goto(f"{portal}/clusters/{cluster.pk}/")


def test_project_admin_deletes_a_cluster(
    page: Page, portal: str, project_admin: User, check_accessible: Check
) -> None:
    cluster = make(ClusterState.RUNNING, has_own_folder=True)
    open_page(page, portal, project_admin, cluster)

    page.get_by_role("button", name="Settings").click()
    shoot(page, "menu")
    page.get_by_role("link", name="Delete Cluster", exact=True).click()
    dialog = page.get_by_role("dialog", name="Delete shop-eu-1?")
    expect(dialog).to_contain_text("shop-eu-1-cp-4")
    expect(dialog.get_by_role("button", name="Confirm")).to_be_disabled()
    check_accessible(page)
    shoot(page, "delete-dialog")
    dialog.get_by_label("Type shop-eu-1 to confirm").fill("shop-eu-1")
    dialog.get_by_role("button", name="Confirm").click()

    expect(page.locator("#cluster-state")).to_contain_text("Deleting")
    expect(page.get_by_text("shop-eu-1 is being deleted.")).to_be_visible()
    assert Operation.objects.get().kind == OperationKind.DELETE
    shoot(page, "deleting")


def test_refused_login_starts_nothing_and_leads_to_the_account(
    page: Page,
    portal: str,
    project_admin: User,
    quiet: list[str],
    monkeypatch: pytest.MonkeyPatch,
    check_accessible: Check,
) -> None:
    def refuse(account: object) -> bool:
        raise LoginRefused("vcenter.acme.test refused the user name or password.")

    monkeypatch.setattr(login_test, "_log_in", refuse)
    cluster = make(ClusterState.RUNNING, nodes=1)
    open_page(page, portal, project_admin, cluster)
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("link", name="Delete Cluster", exact=True).click()
    page.get_by_label("Type shop-eu-1 to confirm").fill("shop-eu-1")

    page.get_by_role("button", name="Confirm").click()

    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("refused the user name or password")
    expect(dialog.get_by_role("link", name="Correct the credentials")).to_be_visible()
    expect(dialog.get_by_role("button", name="Confirm")).to_have_count(0)
    check_accessible(page)
    shoot(page, "refused")
    quiet[:] = [complaint for complaint in quiet if "409" not in complaint]
    assert not Operation.objects.exists()


def test_editor_aborts_and_support_may_only_look(page: Page, portal: str, check_accessible: Check) -> None:
    cluster = make(ClusterState.PROVISIONING, nodes=2)
    support = make_user("sam", Role.SUPPORT)
    open_page(page, portal, support, cluster)
    expect(page.get_by_role("button", name="Abort")).to_have_attribute("aria-disabled", "true")
    shoot(page, "support")
    page.context.clear_cookies()
    open_page(page, portal, bao(), cluster)

    page.get_by_role("link", name="Abort").click()
    dialog = page.get_by_role("dialog", name="Abort shop-eu-1?")
    expect(dialog).to_contain_text("deploy the cluster anew")
    check_accessible(page)
    shoot(page, "abort-dialog")
    dialog.get_by_role("button", name="Abort provisioning").click()

    expect(page.locator("#cluster-state")).to_contain_text("Deleting")
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_text("Force Delete Cluster")).to_have_count(0)


def test_force_delete_counts_down_and_becomes_possible_by_itself(
    page: Page, portal: str, project_admin: User, check_accessible: Check
) -> None:
    page.emulate_media(color_scheme="dark")
    cluster = make(ClusterState.DELETING, minutes=14.7)
    open_page(page, portal, project_admin, cluster)

    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_role("button", name="Force Delete Cluster")).to_contain_text("Enabled in")
    shoot(page, "force-countdown-dark")
    link = page.get_by_role("link", name="Force Delete Cluster")
    expect(link).to_be_visible(timeout=30_000)
    link.click()
    dialog = page.get_by_role("dialog", name="Force the deletion of shop-eu-1?")
    expect(dialog).to_contain_text("Clean up first")
    check_accessible(page)
    shoot(page, "force-dialog-dark")
    dialog.get_by_label("Type shop-eu-1 to confirm").fill("shop-eu-1")
    dialog.get_by_role("button", name="Confirm").click()

    expect(page.get_by_text("is tried once more")).to_be_visible()
    assert Operation.objects.get().kind == OperationKind.FORCE_DELETE


def leave_behind(cluster: Cluster) -> None:
    machine = Machine.objects.filter(cluster=cluster).first()
    assert machine
    rows = [
        (LeftoverKind.MACHINE, machine.name, f"dc-1/vm/team-a/{machine.name}", "vm-1042"),
        (
            LeftoverKind.DISK,
            f"[ssd-1] {machine.name}/{machine.name}.vmdk",
            f"Hard disk 1 of {machine.name}",
            "",
        ),
        (LeftoverKind.FOLDER, "shop-eu-1", "dc-1/vm/team-a/shop-eu-1", "group-v77"),
        (LeftoverKind.ADDRESS, "10.10.183.21", "kept back in the IP pool nodes", ""),
        (LeftoverKind.VOLUME, "[ssd-1] fcd/3f2c9a51.vmdk", "20 GB, was Hard disk 2", ""),
    ]
    for kind, name, path, moid in rows:
        Leftover.objects.create(cluster=cluster, kind=kind, name=name, path=path, moid=moid)


def test_what_remains_turns_green_while_one_looks(
    page: Page, portal: str, project_admin: User, check_accessible: Check
) -> None:
    cluster = make(ClusterState.DELETED, deleted_at=timezone.now())
    leave_behind(cluster)
    cluster.leftovers.filter(kind=LeftoverKind.DISK).update(gone_at=timezone.now())
    open_page(page, portal, project_admin, cluster)

    expect(page.get_by_role("heading", name="What remains on vCenter")).to_be_visible()
    expect(page.get_by_role("button", name="Check now")).to_be_visible()
    check_accessible(page)
    shoot(page, "leftovers")
    page.set_viewport_size({"width": 390, "height": 844})
    shoot(page, "leftovers-phone")
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) <= 0
    with transaction.atomic():
        cluster.leftovers.update(gone_at=timezone.now())
        announce_subject(cluster.subject)

    expect(page.get_by_text("Nothing remains")).to_be_visible()
    expect(page.get_by_role("button", name="Check now")).to_have_count(0)
    shoot(page, "leftovers-gone")
