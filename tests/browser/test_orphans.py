"""The admin finds machines that nobody owns any more, and account and pool pages follow what happens."""

import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone
from playwright.sync_api import Page, expect

from clusters import orphans
from clusters.documents import CLUSTER_MARK, MACHINE_MARK
from clusters.models import Machine
from gateways.logins import note_refusal
from gateways.models import CloudAccount
from ippools.actions import claim_address
from palette_portal.orchestration.actions import announce_subject
from palette_portal.orchestration.models import Operation, OperationKind
from palette_portal.tenants.models import User
from palette_portal.vsphere.errors import LoginRefused
from palette_portal.vsphere.machines.marked import MarkedMachine
from tests.browser.people import sign_in
from tests.factories import (
    amelia,
    make_cloud_account,
    make_cluster,
    make_gateway,
    make_machine,
    make_machine_pool,
    make_pool,
    make_project,
)

SCREENSHOTS = os.environ.get("SCREENSHOTS", "")
Check = Callable[[Page], None]


def shoot(page: Page, name: str) -> None:
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{SCREENSHOTS}/orphans-{name}.png")


@pytest.fixture
def admin(portal: str) -> User:
    return amelia()


@pytest.fixture
def account(admin: User) -> CloudAccount:
    return make_cloud_account(make_gateway(name="dc-east", state="Running"), name="east")


def marked(name: str, machine: Machine | None, number: int, *, copied: bool = False) -> MarkedMachine:
    machine_id = str(machine.pk if machine else uuid4())
    return MarkedMachine(
        moid=f"vm-{number}",
        name=name,
        path=f"dc-1/vm/team-a/{name}",
        instance_uuid=str(uuid4()) if copied else machine_id,
        power_state="poweredOn",
        ip_address=f"10.10.183.{number}",
        marks={CLUSTER_MARK: str(machine.cluster_id if machine else uuid4()), MACHINE_MARK: machine_id},
    )


@pytest.fixture
def on_vcenter(account: CloudAccount, monkeypatch: pytest.MonkeyPatch) -> list[MarkedMachine]:
    """One left by a deleted cluster with its address kept back, one of another portal, one copy."""
    cluster = make_cluster(
        account.gateway, name="shop-eu-1", project=make_project(), state="Running", cloud_account=account
    )
    machine = make_machine(make_machine_pool(cluster), state="Deleted")
    claim_address(
        make_pool(account.gateway, name="nodes"),
        cluster_id=cluster.pk,
        owner_kind="machine",
        owner_id=machine.pk,
        owner_name=machine.name,
        purpose="node",
    )
    vms = [
        marked("shop-eu-1-cp-1", machine, 21),
        marked("staging-cp-1", None, 30),
        marked("copy-of-shop", machine, 40, copied=True),
    ]
    monkeypatch.setattr(orphans, "_ask", lambda credentials, known: vms)
    return vms


def test_admin_reviews_and_removes_orphans(
    page: Page,
    portal: str,
    admin: User,
    account: CloudAccount,
    on_vcenter: list[MarkedMachine],
    check_accessible: Check,
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/cloud-accounts/{account.pk}/")
    check_accessible(page)
    shoot(page, "account")
    page.get_by_role("link", name="Orphans").click()

    expect(page.get_by_label("Remove shop-eu-1-cp-1")).to_be_checked()
    expect(page.get_by_label("Remove staging-cp-1")).not_to_be_checked()
    expect(page.get_by_label("Remove copy-of-shop")).to_have_count(0)
    expect(page.get_by_text("Kept back: shop-eu-1-cp-1 still exists")).to_be_visible()
    check_accessible(page)
    shoot(page, "list")
    page.set_viewport_size({"width": 390, "height": 844})
    shoot(page, "list-phone")
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) <= 0
    page.set_viewport_size({"width": 1280, "height": 720})
    page.get_by_label("Type east to confirm").fill("east")
    page.get_by_role("button", name="Remove the chosen machines").click()

    expect(page.get_by_text("1 machine is being removed.")).to_be_visible()
    operation = Operation.objects.get(kind=OperationKind.CLEAN_UP)
    with transaction.atomic():
        operation.steps.update(state="Done", message="shop-eu-1-cp-1 is removed from vCenter.")
        announce_subject(account.subject)
    expect(page.locator("#orphan-progress")).to_contain_text("1 of 1 done")
    check_accessible(page)
    expect(page.get_by_label("Remove shop-eu-1-cp-1")).to_be_visible()
    del on_vcenter[0]
    with transaction.atomic():
        Operation.objects.filter(pk=operation.pk).update(state="Succeeded", finished_at=timezone.now())
        announce_subject(account.subject)
    expect(page.locator("#orphan-progress")).to_contain_text("Last removal")
    expect(page.get_by_label("Remove shop-eu-1-cp-1")).to_have_count(0)
    expect(page.get_by_label("Remove staging-cp-1")).to_be_visible()
    shoot(page, "done")


def test_account_turns_red_on_an_open_page(
    page: Page, portal: str, admin: User, account: CloudAccount
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/cloud-accounts/{account.pk}/")
    expect(page.get_by_text("has not refused this login yet")).to_be_visible()

    note_refusal(account, LoginRefused("vcenter.acme.test refused the password."))

    expect(page.locator("#account-state")).to_contain_text("Login refused")
    expect(page.locator("#account-now")).to_contain_text("vcenter.acme.test refused the password.")


def test_claimed_address_shows_on_an_open_page(
    page: Page, portal: str, admin: User, account: CloudAccount
) -> None:
    pool = make_pool(account.gateway, name="nodes")
    sign_in(page, portal, admin)
    page.goto(f"{portal}/ip-pools/{pool.pk}/?show=used")
    expect(page.get_by_text("No address is used.")).to_be_visible()

    with transaction.atomic():
        claim_address(
            pool,
            cluster_id=uuid4(),
            owner_kind="machine",
            owner_id=uuid4(),
            owner_name="worker-1",
            purpose="node",
        )
        announce_subject(pool.subject)

    expect(page.locator("#pool-now")).to_contain_text("10.10.183.20")
