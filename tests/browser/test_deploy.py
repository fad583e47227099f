"""The deploy wizard in a browser, on the lab's vCenter: the whole journey, its failures, a phone, dark."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, expect

from clusters.models import Cluster
from gateways.models import PrerequisiteReport
from gateways.models.pages import FRESH_FOR
from ippools.models import IPPool
from palette_portal.vsphere.session import sessions
from tests.factories import make_cluster
from tests.integration.deploy.scene import make_walk
from tests.integration.deploy.walk import PAGES, PLACES, DeployWalk
from tests.lab.fixtures import lab, lab_server  # noqa: F401
from tests.lab.vcsim import Lab

SHOTS = os.environ.get("SCREENSHOTS", "")
PHONE = {"width": 390, "height": 844}
CheckAccessible = Callable[[Page], None]
Worker = Callable[[], Future[None]]


@pytest.fixture
def walk(portal: str, lab: Lab) -> Iterator[DeployWalk]:  # noqa: F811
    """Paolo, a project admin; he can go some pages ahead without a browser."""
    yield make_walk(Client(), lab)
    sessions.close_all()


@pytest.fixture
def paolos(walk: DeployWalk, portal: str, context: BrowserContext, page: Page) -> Page:
    cookie = walk.client.cookies[settings.SESSION_COOKIE_NAME]
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": portal}])
    return page


def ahead(deed: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Walk some pages without the browser, in a thread: this one has Playwright's event loop."""

    def run() -> Any:
        try:
            return deed(*arguments, **options)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result()


def shoot(page: Page, name: str, quiet: list[str], *, full: bool = True) -> None:
    """A picture; taking it makes Playwright add a style, which the policy reports."""
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"deploy-{name}.png", full_page=full)
        quiet[:] = [line for line in quiet if "inline style" not in line]


def press(page: Page, name: str) -> None:
    """When nothing is being asked any more: going on while it is makes browsers complain."""
    expect(page.locator(".htmx-request")).to_have_count(0)
    page.locator(".wiz-foot").get_by_role("button", name=name, exact=True).click()


def forget_refusals(quiet: list[str]) -> None:
    """A refused form answers 422, which browsers write to the console."""
    quiet[:] = [line for line in quiet if "422" not in line]


def choose(page: Page, field: str, text: str) -> None:
    option = page.locator(f"#id_{field} option", has_text=text).first
    page.locator(f"#id_{field}").select_option(option.get_attribute("value"))


def test_deploy_from_the_list_to_the_cluster(
    paolos: Page, walk: DeployWalk, worker: Worker, portal: str, quiet: list[str]
) -> None:
    page = paolos
    page.goto(f"{portal}/clusters/")
    page.get_by_role("link", name="Deploy cluster").first.click()
    page.locator("#id_name").fill("payments-prod")
    page.locator("#id_tags").fill("env:prod, critical")
    shoot(page, "1-basics", quiet)
    press(page, "Continue")

    expect(page.locator("[name=version]").first).to_be_checked()
    shoot(page, "2-profile", quiet)
    press(page, "Continue")

    editor = page.locator("#id_values_kubernetes")
    page.locator("#pack-kubernetes summary").click()
    editor.fill(editor.input_value().replace("192.168.0.0/16", "172.20.0.0/16"))
    expect(page.locator("#feedback-kubernetes")).to_contain_text("Against the profile")
    shoot(page, "3-parameters", quiet)
    press(page, "Continue")

    expect(page.locator("#id_datacenter option:checked")).to_contain_text("dc-1")
    choose(page, "folder", "palette-gateways")
    page.get_by_label("Append the cluster's name").check()
    shoot(page, "4-placement", quiet)
    press(page, "Continue")

    page.locator("#id_master-zones").get_by_text("az1").click()
    expect(page.locator("#pool-master .zone-fields")).to_have_count(1)
    for choice, name in PLACES.items():
        field = page.locator(f"#pool-master .zone-fields select[name$={choice}]")
        field.select_option(field.locator("option", has_text=name).first.get_attribute("value"))
    page.locator("#id_master-zones").get_by_text("az2").click()
    expect(page.locator("#pool-master .zone-fields")).to_have_count(2)
    second = page.locator("#pool-master .zone-fields select[name$=network] option:checked").last
    expect(second).to_contain_text("k8s-nodes")
    page.locator("#pool-w1").get_by_role("button", name="Copy from Master Pool").click()
    expect(page.locator("#pool-w1 .zone-fields")).to_have_count(2)
    page.locator("#id_w1-size").fill("3")
    page.locator("#id_w1-size").press("Tab")
    expect(page.locator("#deploy-need")).to_contain_text("rack-7 has 21 free")
    shoot(page, "5-pools", quiet)
    press(page, "Continue")

    expect(page.locator("#deploy-machines .outlook")).to_contain_text("About")
    expect(page.locator("#deploy-machines")).to_contain_text("payments-prod-worker-pool-3")
    expect(page.locator("#deploy-machines")).to_contain_text("10.10.183.20")
    button = page.get_by_role("button", name="Deploy", exact=True)
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(page.locator("#prerequisite-report")).to_contain_text("Resolve the name")
    worker().result()
    expect(page.locator("#prerequisite-report")).to_contain_text("0 failed")
    expect(button).not_to_have_attribute("aria-disabled", "true")
    shoot(page, "6-review", quiet)
    page.get_by_role("button", name="Deploy", exact=True).click()

    page.wait_for_url(lambda url: "/deploy/" not in url)
    cluster = Cluster.objects.get()
    assert page.url.endswith(f"/clusters/{cluster.pk}/")
    assert cluster.machines.count() == 4
    expect(page.get_by_role("heading", name="payments-prod", exact=True)).to_be_visible()
    shoot(page, "7-cluster", quiet, full=False)
    forget_refusals(quiet)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible(
    paolos: Page,
    walk: DeployWalk,
    portal: str,
    theme: str,
    check_accessible: CheckAccessible,
    quiet: list[str],
) -> None:
    page = paolos
    page.context.add_cookies([{"name": "theme", "value": theme, "url": portal}])
    ahead(
        walk.to_review,
        w1={},
        w2={"name": "gpu", "autoscales": "on", "minimum_size": "1", "maximum_size": "4"},
    )
    ahead(walk.report)

    for key in PAGES:
        page.goto(portal + walk.url(key))
        if key == "review":
            expect(page.locator("#prerequisite-report")).to_contain_text("0 failed")
        check_accessible(page)
        shoot(page, f"{key}-{theme}", quiet)


def test_every_page_fits_a_phone(paolos: Page, walk: DeployWalk, portal: str, quiet: list[str]) -> None:
    page = paolos
    page.set_viewport_size(PHONE)
    ahead(walk.to_review)
    ahead(walk.report)

    for key in PAGES:
        page.goto(portal + walk.url(key))
        if key == "review":
            expect(page.locator("#prerequisite-report")).to_contain_text("0 failed")
        expect(page.locator(".wiz-foot .btn").last).to_be_in_viewport()
        shoot(page, f"{key}-phone", quiet)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], key


def test_name_is_refused_at_the_field_as_soon_as_it_is_left(
    paolos: Page, walk: DeployWalk, portal: str, check_accessible: CheckAccessible
) -> None:
    page = paolos
    make_cluster(walk.gateway, project=walk.project, name="payments-prod", cloud_account=walk.account)
    page.goto(f"{portal}/clusters/deploy/")

    page.locator("#id_name").fill("payments-prod")
    page.keyboard.press("Tab")

    expect(page.locator("#id_name_error")).to_contain_text("has a cluster payments-prod already")
    expect(page.locator("#id_description")).to_be_focused()
    check_accessible(page)
    page.locator("#id_name").fill("payments-test")
    page.keyboard.press("Tab")
    expect(page.locator("#id_name_error")).to_have_count(0)


def test_drafts_are_continued_and_discarded(
    paolos: Page, walk: DeployWalk, portal: str, quiet: list[str]
) -> None:
    page = paolos
    ahead(walk.to_parameters)
    page.goto(walk_url := portal + walk.url("parameters"))
    press(page, "Save and exit")
    expect(page.get_by_text("The draft of payments-prod is saved.")).to_be_visible()
    shoot(page, "drafts", quiet)

    page.locator("#deploy-drafts .draft").click()
    page.wait_for_url(walk_url)
    page.goto(f"{portal}/clusters/deploy/")
    page.get_by_role("button", name="Discard the draft of payments-prod").click()
    page.get_by_role("button", name="Discard", exact=True).click()

    expect(page.locator("#deploy-drafts")).to_contain_text("None yet.")


def test_yaml_problem_leads_to_its_line(
    paolos: Page, walk: DeployWalk, portal: str, check_accessible: CheckAccessible, quiet: list[str]
) -> None:
    page = paolos
    ahead(walk.to_parameters)
    page.goto(portal + walk.url("parameters"))
    page.locator("#pack-kubernetes summary").click()
    editor = page.locator("#id_values_kubernetes")

    editor.fill("networking:\n  serviceCidr: 10.96.0.0/12\n  podCidr: 5\n")

    problem = page.locator("#feedback-kubernetes .problems")
    expect(problem).to_contain_text("Line 3")
    problem.get_by_role("button").click()
    expect(editor).to_be_focused()
    selected = "e => e.value.slice(e.selectionStart, e.selectionEnd)"
    assert editor.evaluate(selected) == "  podCidr: 5"
    check_accessible(page)
    shoot(page, "yaml-error", quiet)
    press(page, "Continue")
    expect(page.locator("#pack-kubernetes.invalid")).to_contain_text("1 problem")
    page.get_by_role("button", name="Put back the profile's values").click()
    expect(page.locator("#pack-kubernetes")).to_contain_text("As in the profile")
    forget_refusals(quiet)


def test_pools_that_need_too_many_addresses_are_told_at_once(
    paolos: Page, walk: DeployWalk, portal: str, check_accessible: CheckAccessible, quiet: list[str]
) -> None:
    page = paolos
    ahead(walk.to_review)
    page.goto(portal + walk.url("pools"))

    page.get_by_label("Enable Autoscaler").check()
    page.locator("#id_w1-maximum_size").fill("40")
    page.keyboard.press("Tab")

    expect(page.locator("#deploy-need")).to_contain_text("and 44 are needed")
    check_accessible(page)
    press(page, "Continue")
    expect(page.locator("#id_master-ip_pool_error")).to_contain_text("and 44 are needed")
    shoot(page, "exhausted", quiet)
    IPPool.objects.filter(pk=walk.ip_pool.pk).update(end="10.10.183.90")
    press(page, "Continue")
    page.wait_for_url(f"**{walk.url('review')}")
    forget_refusals(quiet)


def test_placement_is_read_again_after_an_outage(
    paolos: Page, walk: DeployWalk, portal: str, quiet: list[str]
) -> None:
    page = paolos
    ahead(walk.to_placement)
    cache.clear()
    walk.lab.unreachable(600)
    page.goto(portal + walk.url("placement"))
    expect(page.get_by_role("alert")).to_contain_text("The inventory cannot be read")
    shoot(page, "vcenter-gone", quiet)

    walk.lab.reachable()
    page.get_by_role("button", name="Try again").click()

    expect(page.locator("#id_datacenter option:checked")).to_contain_text("dc-1")


def test_review_is_checked_live_and_says_why_it_cannot_be_deployed(
    paolos: Page,
    walk: DeployWalk,
    worker: Worker,
    portal: str,
    check_accessible: CheckAccessible,
    quiet: list[str],
) -> None:
    page = paolos
    ahead(walk.to_review)
    cache.clear()
    walk.lab.withhold("VirtualMachine.Config.CPUCount", on=walk.draft.pages["placement"]["values"]["folder"])
    walk.lab.withhold("Vsan.Cluster.ShallowRekey")
    walk.lab.set_delays(FetchUserPrivilegeOnEntities=2)
    page.goto(portal + walk.url("review"))

    report, button = (
        page.locator("#prerequisite-report"),
        page.get_by_role("button", name="Deploy", exact=True),
    )
    expect(page.locator("#deploy-machines")).to_contain_text("payments-prod-cp-1")
    expect(report.locator(".runbar-now")).to_have_text("Resolve the name")
    working = worker()
    expect(report.locator(".runbar-now")).to_have_text("Compare privileges")
    expect(report).to_contain_text("Its clock agrees with the portal's.")
    expect(button).to_have_attribute("aria-disabled", "true")
    check_accessible(page)
    shoot(page, "review-running", quiet)
    working.result()
    expect(report.locator(".runbar-now")).to_contain_text("1 failed")
    expect(page.locator("#deploy-machines")).to_contain_text("472 GB")
    expect(button).to_have_attribute("aria-disabled", "true")
    check_accessible(page)
    shoot(page, "review-refused", quiet)
    page.get_by_role("link", name="Open the report").click()
    expect(page.get_by_role("heading", name="Prerequisites of Cluster payments-prod")).to_be_visible()
    page.get_by_role("button", name="Create link").click()
    expect(page.locator(".share-link")).to_be_visible()
    shoot(page, "review-report", quiet)

    walk.lab.grant_all()
    walk.lab.withhold("Vsan.Cluster.ShallowRekey")
    walk.lab.set_delays(FetchUserPrivilegeOnEntities=0)
    page.goto(portal + walk.url("review"))
    expect(report).to_contain_text("1 failed")
    page.get_by_role("button", name="Check again").click()
    expect(report.locator(".runbar-now")).to_have_text("Resolve the name")
    expect(page.locator("#check-again")).to_be_focused()
    worker().result()

    expect(report.locator(".runbar-now")).to_contain_text("0 failed")
    expect(button).not_to_have_attribute("aria-disabled", "true")
    shoot(page, "review-warnings", quiet)
    button.click()
    page.wait_for_url(lambda url: "/deploy/" not in url)


def test_deploy_on_a_report_that_grew_old_is_refused_and_checked_anew(
    paolos: Page, walk: DeployWalk, worker: Worker, portal: str, quiet: list[str]
) -> None:
    page = paolos
    ahead(walk.to_review)
    ahead(walk.report)
    page.goto(portal + walk.url("review"))
    PrerequisiteReport.objects.update(finished_at=timezone.now() - FRESH_FOR)

    page.get_by_role("button", name="Deploy", exact=True).click()

    expect(page.get_by_role("alert")).to_contain_text("more than 15 minutes ago")
    expect(page.locator(".runbar-now")).to_have_text("Resolve the name")
    worker().result()
    expect(page.locator(".runbar-now")).to_contain_text("0 failed")
    page.get_by_role("button", name="Deploy", exact=True).click()
    page.wait_for_url(lambda url: "/deploy/" not in url)
    forget_refusals(quiet)


def test_wizard_works_without_javascript(
    walk: DeployWalk, worker: Worker, portal: str, browser: Browser
) -> None:
    context = browser.new_context(java_script_enabled=False)
    cookie = walk.client.cookies[settings.SESSION_COOKIE_NAME]
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": portal}])
    page = context.new_page()
    page.goto(f"{portal}/clusters/deploy/")
    page.locator("#id_name").fill("payments-prod")
    for _ in range(3):
        press(page, "Continue")
    page.get_by_role("link", name="Show the choices").click()
    choose(page, "folder", "palette-clusters")
    press(page, "Continue")

    for pool in ("master", "w1"):
        page.locator(f"#id_{pool}-zones").get_by_text("az1").click()
    page.get_by_role("button", name="Update choices").click()
    for pool in ("master", "w1"):
        field = page.locator(f"#pool-{pool} .zone-fields select[name$=network]")
        field.select_option(field.locator("option", has_text="k8s-nodes").first.get_attribute("value"))
    press(page, "Continue")
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.locator("#prerequisite-report")).to_contain_text("Resolve the name")
    worker().result()
    page.reload()
    page.get_by_role("button", name="Deploy", exact=True).click()

    page.wait_for_url(lambda url: "/deploy/" not in url)
    assert page.url.endswith(f"/clusters/{Cluster.objects.get().pk}/")
    context.close()
