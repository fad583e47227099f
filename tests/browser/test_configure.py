"""The Configure wizard in a browser, on the lab's vCenter: dependent selects, keyboard, themes, a phone."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect

from clusters.models import Cluster
from gateways.placement import Choices, Option
from palette_portal.vsphere.errors import Unreachable
from palette_portal.vsphere.session import sessions
from tests.factories import amelia, make_gateway, make_release
from tests.integration.gateways.configure.walk import NAMES, POOL, Walk
from tests.lab.fixtures import lab, lab_server  # noqa: F401
from tests.lab.vcsim import Lab

SHOTS = os.environ.get("SCREENSHOTS", "")
PAGES = ("vcenter", "placement", "addresses", "summary")
PHONE = {"width": 390, "height": 844}
CheckAccessible = Callable[[Page], None]


@pytest.fixture
def walk(portal: str, lab: Lab) -> Iterator[Walk]:  # noqa: F811
    """Amelia with a gateway to configure; she can go some pages ahead without a browser."""
    make_release()
    client = Client()
    client.force_login(amelia())
    yield Walk(client, make_gateway(name="dc-west"), lab)
    sessions.close_all()


@pytest.fixture
def amelias(walk: Walk, portal: str, context: BrowserContext, page: Page) -> Page:
    sign_in(walk, portal, context)
    return page


def sign_in(walk: Walk, portal: str, context: BrowserContext) -> None:
    cookie = walk.client.cookies[settings.SESSION_COOKIE_NAME]
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": portal}])


def ahead(deed: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Walk some pages without the browser, in a thread: this one has Playwright's event loop."""

    def run() -> Any:
        try:
            return deed(*arguments, **options)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run).result()


def shoot(page: Page, name: str, quiet: list[str]) -> None:
    """A picture; taking it makes Playwright add a style, which the policy reports."""
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")
        quiet[:] = [line for line in quiet if "inline style" not in line]


def fill_vcenter(page: Page, walk: Walk, **changes: str) -> None:
    login = {"server": walk.lab.server, "username": walk.lab.username, "password": walk.lab.password}
    for name, value in {**login, **changes}.items():
        page.locator(f"#id_{name}").fill(value)


def press(page: Page, name: str) -> None:
    page.locator(".wiz-foot").get_by_role("button", name=name).click()


def forget_refusals(quiet: list[str]) -> None:
    """A refused form answers 422, which browsers write to the console."""
    quiet[:] = [line for line in quiet if "422" not in line]


def choose(page: Page, choice: str) -> None:
    option = page.locator(f"#id_{choice} option", has_text=NAMES[choice]).first
    page.locator(f"#id_{choice}").select_option(option.get_attribute("value"))


def test_wizard_walked_from_vcenter_to_cluster_details(
    amelias: Page, walk: Walk, portal: str, quiet: list[str]
) -> None:
    page = amelias
    page.goto(f"{portal}/gateways/{walk.gateway.pk}/configure/")
    fill_vcenter(page, walk, password="wrong")
    press(page, "Continue")
    expect(page.locator("#certificate")).to_contain_text(walk.lab.thumbprint_sha256)
    page.locator("#id_trusted_thumbprint").check()
    press(page, "Continue")
    expect(page.locator("#id_password_error")).to_contain_text("refused the user name or password")
    expect(page.locator("#id_password")).to_be_focused()
    page.locator("#id_password").fill(walk.lab.password)
    press(page, "Continue")

    expect(page.locator("#id_datacenter")).to_be_visible()
    expect(page.locator("#id_compute_cluster")).to_be_disabled()
    for choice in ("datacenter", "folder", "compute_cluster", "resource_pool", "datastore", "network"):
        choose(page, choice)
    page.get_by_label("3 nodes").check()
    press(page, "Continue")

    expect(page.locator("#address-need")).to_contain_text("5 are needed")
    for name in ("name", "start", "end", "subnet_prefix", "gateway_address", "name_servers"):
        page.locator(f"#id_{name}").fill(POOL[name])
    expect(page.locator("#address-need")).to_contain_text("21 addresses free")
    page.get_by_label("Restrict to a Single Cluster").check()
    press(page, "Continue")

    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/clusters/**")
    assert page.url.endswith(f"/clusters/{Cluster.objects.get().pk}/")
    pool = walk.gateway.ip_pools.get()
    assert (pool.name, pool.restrict_to_single_cluster) == ("gateway-pool", True)
    forget_refusals(quiet)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible(
    amelias: Page, walk: Walk, portal: str, theme: str, check_accessible: CheckAccessible, quiet: list[str]
) -> None:
    page = amelias
    page.context.add_cookies([{"name": "theme", "value": theme, "url": portal}])
    ahead(walk.to_summary, nodes="3")

    for key in PAGES:
        page.goto(portal + walk.url(key))
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        check_accessible(page)
        shoot(page, f"configure-{key}-{theme}", quiet)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_refused_pages_are_accessible(
    amelias: Page, walk: Walk, portal: str, theme: str, check_accessible: CheckAccessible, quiet: list[str]
) -> None:
    page = amelias
    page.context.add_cookies([{"name": "theme", "value": theme, "url": portal}])
    page.goto(portal + walk.url("vcenter"))
    fill_vcenter(page, walk)
    press(page, "Continue")
    expect(page.locator("#certificate")).to_be_visible()
    check_accessible(page)
    shoot(page, f"configure-certificate-{theme}", quiet)
    ahead(walk.to_addresses)
    page.goto(portal + walk.url("addresses"))
    page.get_by_text("DHCP", exact=True).click()
    expect(page.locator("#id_control_plane_endpoint")).to_be_visible()
    press(page, "Continue")
    expect(page.locator("#id_control_plane_endpoint_error")).to_be_visible()
    check_accessible(page)
    shoot(page, f"configure-dhcp-{theme}", quiet)
    forget_refusals(quiet)


def test_every_page_fits_a_phone(amelias: Page, walk: Walk, portal: str, quiet: list[str]) -> None:
    page = amelias
    page.set_viewport_size(PHONE)
    ahead(walk.to_summary)

    for key in PAGES:
        page.goto(portal + walk.url(key))
        expect(page.locator(".wiz-foot .btn").last).to_be_in_viewport()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], key
        shoot(page, f"configure-{key}-phone", quiet)


def test_placement_keeps_the_focus_while_choices_are_redrawn(amelias: Page, walk: Walk, portal: str) -> None:
    page = amelias
    ahead(walk.to_placement)
    page.goto(portal + walk.url("placement"))
    page.locator("#id_datacenter").focus()

    choose(page, "datacenter")

    expect(page.locator("#id_compute_cluster")).to_be_enabled()
    expect(page.locator("#id_datacenter")).to_be_focused()


def test_placement_another_compute_cluster_empties_what_hung_on_it(
    amelias: Page, walk: Walk, portal: str
) -> None:
    page = amelias
    ahead(walk.to_addresses)
    page.goto(portal + walk.url("placement"))
    expect(page.locator("#id_resource_pool option:checked")).to_contain_text("Resources/platform")

    page.locator("#id_compute_cluster").select_option(label="cluster-2 3 hosts")

    expect(page.locator("#id_resource_pool option:checked")).to_have_text("Select…")
    expect(page.locator("#id_datastore option:checked")).to_contain_text("shared-nfs-1")


def test_placement_with_many_choices_filters_as_one_types(
    amelias: Page, walk: Walk, portal: str, monkeypatch: pytest.MonkeyPatch, check_accessible: CheckAccessible
) -> None:
    page = amelias
    ahead(walk.to_placement)
    few = Choices._datacenters
    many = [Option(f"datacenter-9{n}", f"site-{n:02}") for n in range(12)]
    monkeypatch.setattr(Choices, "_datacenters", lambda self, parent: [*many, *few(self, parent)])
    page.goto(portal + walk.url("placement"))

    combobox = page.locator("input#id_datacenter")
    combobox.fill("dc-1")
    check_accessible(page)
    page.keyboard.press("Enter")

    expect(page.locator("#id_compute_cluster")).to_be_enabled()
    expect(combobox).to_have_value("dc-1")
    expect(combobox).to_be_focused()


def test_placement_is_read_again_after_an_outage(amelias: Page, walk: Walk, portal: str) -> None:
    page = amelias
    ahead(walk.to_placement)
    chosen = ahead(walk.placement)
    ahead(walk.post, "placement", chosen, then="exit")
    cache.clear()
    walk.lab.unreachable(600)
    page.goto(portal + walk.url("placement"))
    expect(page.get_by_role("alert")).to_contain_text("The inventory cannot be read")

    walk.lab.reachable()
    page.get_by_role("button", name="Try again").click()

    expect(page.locator("#id_network option:checked")).to_contain_text("k8s-nodes")


def test_vcenter_page_works_by_keyboard_and_enter_goes_on(amelias: Page, walk: Walk, portal: str) -> None:
    page = amelias
    ahead(walk.to_placement)
    page.goto(portal + walk.url("vcenter"))
    page.locator("#id_server").focus()

    page.keyboard.press("Tab")
    expect(page.locator("#id_username")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type(walk.lab.password)
    page.keyboard.press("Enter")

    page.wait_for_url(f"**{walk.url('placement')}")


def test_addresses_page_enter_goes_on_and_not_back(amelias: Page, walk: Walk, portal: str) -> None:
    page = amelias
    ahead(walk.to_summary)
    page.goto(portal + walk.url("addresses"))

    page.locator("#id_end").press("Enter")

    page.wait_for_url(f"**{walk.url('summary')}")


def test_vcenter_button_is_busy_while_the_checks_run(
    amelias: Page, walk: Walk, portal: str, quiet: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = amelias
    ahead(walk.to_placement)
    page.goto(portal + walk.url("vcenter"))
    gives_up = threading.Event()

    def hang(server: str, **_options: object) -> None:
        assert gives_up.wait(30)
        raise Unreachable(f"{server} did not answer in time.")

    monkeypatch.setattr("gateways.vcenter_checks.fetch_certificate", hang)
    press(page, "Continue")

    expect(page.get_by_text("Checking name, route, certificate")).to_be_visible()
    expect(page.locator(".wiz-foot").get_by_role("button", name="Continue")).to_be_disabled()
    gives_up.set()
    expect(page.locator("#id_server_error")).to_contain_text("did not answer in time")
    expect(page.locator(".wiz-foot").get_by_role("button", name="Continue")).to_be_enabled()
    forget_refusals(quiet)


def test_back_and_exit_keep_what_was_typed(amelias: Page, walk: Walk, portal: str) -> None:
    page = amelias
    ahead(walk.to_addresses)
    page.goto(portal + walk.url("addresses"))
    page.locator("#id_name").fill("half done")

    press(page, "Back")
    page.wait_for_url(f"**{walk.url('placement')}")
    page.goto(portal + walk.url("addresses"))
    expect(page.locator("#id_name")).to_have_value("half done")
    press(page, "Save and exit")

    page.wait_for_url("**/gateways/")
    expect(page.get_by_text("is saved. Continue at any time.")).to_be_visible()


def test_wizard_works_without_javascript(walk: Walk, portal: str, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    sign_in(walk, portal, context)
    page = context.new_page()
    ahead(walk.to_placement)
    page.goto(portal + walk.url("placement"))
    page.get_by_role("link", name="Show the choices").click()

    for choice in ("datacenter", "compute_cluster"):
        choose(page, choice)
        page.get_by_role("button", name="Update choices").click()
    for choice in ("folder", "resource_pool", "datastore", "network"):
        choose(page, choice)
    press(page, "Continue")

    page.wait_for_url(f"**{walk.url('addresses')}")
    page.locator("#id_scheme_1").check()
    page.get_by_role("button", name="Update choices").click()
    page.locator("#id_control_plane_endpoint").fill("pcg.acme.test")
    press(page, "Continue")
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/clusters/**")
    context.close()
