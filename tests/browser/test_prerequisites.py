"""Prerequisites in a browser, on the lab's vCenter: check, watch, read, export, share; and in the wizard."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from gateways.models import CloudAccount, PrerequisiteReport
from gateways.prerequisites.actions import start_check
from gateways.states import GatewayState
from tests.browser.people import sign_in
from tests.browser.test_gateways import show_themes
from tests.factories import amelia, make_gateway, make_release
from tests.integration.gateways.account_pages import make_account
from tests.integration.gateways.configure.walk import Walk
from tests.lab.fixtures import lab, lab_server  # noqa: F401
from tests.lab.vcsim import Lab

CheckAccessible = Callable[[Page], None]


@pytest.fixture
def account(portal: str, lab: Lab) -> CloudAccount:  # noqa: F811
    gateway = make_gateway(name="dc-east", state=GatewayState.RUNNING)
    account: CloudAccount = make_account(gateway, lab)
    return account


def lack_privileges(lab: Lab) -> None:  # noqa: F811
    lab.withhold("StorageProfile.View", "Cns.Searchable", on="group-d1")
    lab.withhold("Vsan.Cluster.ShallowRekey", "VirtualMachine.Hbr.MonitorReplication")
    lab.set_host_time("esx-12.lab.example", servers=(), running=False)
    lab.set_host_time("esx-22.lab.example", running=False, offset=-300)


def test_check_is_watched_exported_and_shared(
    page: Page,
    portal: str,
    account: CloudAccount,
    worker: Callable[[], Future[None]],
    browser: Browser,
    lab: Lab,  # noqa: F811
    check_accessible: CheckAccessible,
) -> None:
    lack_privileges(lab)
    lab.set_delays(FetchUserPrivilegeOnEntities=1.5)
    sign_in(page, portal, amelia())
    page.goto(f"{portal}/cloud-accounts/{account.pk}/")
    expect(page.get_by_text("Not checked yet.")).to_be_visible()
    page.get_by_role("button", name="Check").click()

    expect(page.get_by_text("Checking")).to_be_visible()
    expect(page.locator(".runbar-now")).to_have_text("Resolve the name")
    working = worker()
    expect(page.locator(".runbar-now")).to_have_text("Compare privileges")
    expect(page.get_by_text("Its clock agrees with the portal's.")).to_be_visible()
    show_themes(page, "prerequisites-progress", check_accessible)
    working.result()
    expect(page.locator(".runbar-now")).to_contain_text("2 failed")

    expect(page.get_by_role("link", name="Open the report")).to_have_count(0)
    expect(page.get_by_role("button", name="Check again")).to_be_visible()
    expect(page.get_by_text(f"as {account.username}")).to_be_visible()
    page.get_by_text("All 2 missing privileges").first.click()
    expect(page.get_by_text("StorageProfile.View").last).to_be_visible()
    show_themes(page, "prerequisites-report", check_accessible)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
        page.get_by_role("link", name="PowerCLI script").click()
    assert download.value.suggested_filename.endswith(".ps1")
    assert "'StorageProfile.View'" in download.value.path().read_text()

    page.get_by_role("button", name="Create link").click()
    link = page.locator(".share-link .mono").inner_text()
    show_themes(page, "prerequisites-shared-link", check_accessible)
    with browser.new_context() as stranger:
        shared = stranger.new_page()
        shared.goto(link)
        expect(shared.get_by_role("heading", name="Prerequisites of east")).to_be_visible()
        show_themes(shared, "prerequisites-shared", check_accessible)
        page.get_by_role("button", name="Revoke the link").click()
        expect(page.get_by_text("The link does not work any more.")).to_be_attached()
        answer = shared.goto(link)
        assert answer is not None and answer.status == 404


def test_check_from_the_list(page: Page, portal: str, account: CloudAccount) -> None:
    sign_in(page, portal, amelia())
    page.goto(f"{portal}/cloud-accounts/")
    page.get_by_role("button", name="Actions for east").click()
    page.get_by_role("button", name="Check").click()

    expect(page.get_by_role("heading", name="Prerequisites of east")).to_be_visible()
    assert PrerequisiteReport.objects.get().cloud_account == account


def test_report_opens_its_details_for_paper(
    page: Page,
    portal: str,
    account: CloudAccount,
    worker: Callable[[], Future[None]],
    lab: Lab,  # noqa: F811
) -> None:
    lack_privileges(lab)
    admin = amelia()
    report = start_check(account=account, by=admin)
    worker().result()
    sign_in(page, portal, admin)
    page.goto(f"{portal}/cloud-accounts/reports/{report.pk}/")
    closed = page.locator("details:not([open])")
    assert closed.count() > 0

    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(closed).to_have_count(0)
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="print")
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    expect(page.locator(".side")).to_be_hidden()


def test_guide_is_read_by_version(
    page: Page, portal: str, account: CloudAccount, check_accessible: CheckAccessible
) -> None:
    sign_in(page, portal, amelia())
    page.goto(f"{portal}/cloud-accounts/")
    page.get_by_role("link", name="Prerequisites").click()
    expect(page.get_by_text("VM Storage Policies").first).to_be_visible()
    show_themes(page, "prerequisites-guide", check_accessible)

    page.get_by_role("link", name="vSphere 6.7").click()
    expect(page.get_by_text("Profile-driven storage view").first).to_be_visible()


def test_wizard_shows_the_report_and_refuses_failures(
    page: Page,
    portal: str,
    lab: Lab,  # noqa: F811
    worker: Callable[[], Future[None]],
    quiet: list[str],
    check_accessible: CheckAccessible,
) -> None:
    make_release()
    admin, client = amelia(), Client()
    client.force_login(admin)
    walk = Walk(client, make_gateway(name="dc-west"), lab)
    in_thread(walk.to_summary)
    lab.withhold("VirtualMachine.Config.CPUCount", on=walk.draft.pages["placement"]["values"]["folder"])
    sign_in(page, portal, admin)
    page.goto(f"{portal}{walk.url('summary')}")

    expect(page.locator("#prerequisite-report")).to_contain_text("Resolve the name")
    worker().result()
    expect(page.locator("#prerequisite-report")).to_contain_text("1 failed")
    show_themes(page, "prerequisites-wizard", check_accessible)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("alert")).to_contain_text("VirtualMachine.Config.CPUCount")

    lab.grant_all()
    page.get_by_role("button", name="Check again").click()
    expect(page.get_by_text("Checking", exact=True)).to_be_visible()
    worker().result()
    expect(page.locator("#prerequisite-report")).to_contain_text("0 failed")
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/clusters/**")
    quiet.clear()  # the browser notes every answer of 400 and more


def in_thread(deed: Callable[[], Any]) -> None:
    """Without Playwright's event loop."""

    def run() -> None:
        try:
            deed()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run).result()
