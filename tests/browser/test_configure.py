"""The Configure wizard in a browser, on the lab's vCenter: dependent selects, keyboard, both themes, a phone."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import BrowserContext, Page, expect

from gateways.models import PrivateCloudGateway
from palette_portal.vsphere.session import sessions
from tests.factories import amelia, make_gateway, make_release
from tests.lab.fixtures import lab, lab_server  # noqa: F401
from tests.lab.vcsim import Lab

SHOTS = os.environ.get("SCREENSHOTS", "")


@pytest.fixture
def gateway(portal: str) -> PrivateCloudGateway:
    make_release()
    return make_gateway(name="dc-west")


@pytest.fixture
def configure(
    portal: str, page: Page, context: BrowserContext, gateway: PrivateCloudGateway
) -> Iterator[Page]:
    """Amelia's browser on the wizard's first page."""
    client = Client()
    client.force_login(amelia())
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": portal}])
    page.goto(f"{portal}/gateways/{gateway.pk}/configure/")
    yield page
    sessions.close_all()


def shoot(page: Page, name: str) -> None:
    if SHOTS:
        page.mouse.wheel(0, -5000)
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def fill_vcenter(page: Page, lab: Lab, **changes: str) -> None:  # noqa: F811
    values = {"server": lab.server, "username": lab.username, "password": lab.password, **changes}
    for name, value in values.items():
        page.locator(f"#id_{name}").fill(value)


def press_continue(page: Page) -> None:
    page.locator(".wiz-foot").get_by_role("button", name="Continue").click()


def forget_refusals(quiet: list[str]) -> None:
    """A refused form answers 422, which browsers write to the console."""
    quiet[:] = [line for line in quiet if "422" not in line]


def choose(page: Page, name: str, label: str) -> None:
    """Pick an option, and wait until the choices that hang on it have been redrawn."""
    option = page.locator(f"#id_{name} option", has_text=label).first
    page.locator(f"#id_{name}").select_option(option.get_attribute("value"))


def test_wizard_walked_from_vcenter_to_cluster_details(
    configure: Page,
    lab: Lab,  # noqa: F811
    quiet: list[str],
    check_accessible: Callable[[Page], None],
) -> None:
    page = configure
    fill_vcenter(page, lab, password="wrong")
    press_continue(page)
    expect(page.locator("#certificate")).to_contain_text(lab.thumbprint_sha256)
    check_accessible(page)
    shoot(page, "configure-certificate")
    page.locator("#id_trusted_thumbprint").check()
    press_continue(page)
    expect(page.locator("#id_password_error")).to_contain_text("refused the user name or password")
    shoot(page, "configure-wrong-password")
    page.locator("#id_password").fill(lab.password)
    press_continue(page)

    expect(page.locator("#id_datacenter")).to_be_visible()
    expect(page.locator("#id_compute_cluster")).to_be_disabled()
    shoot(page, "configure-placement-empty")
    choose(page, "datacenter", "dc-1")
    choose(page, "folder", "palette-gateways")
    choose(page, "compute_cluster", "cluster-1")
    choose(page, "resource_pool", "platform")
    choose(page, "datastore", "shared-nfs-1")
    choose(page, "network", "k8s-nodes")
    expect(page.locator("#id_folder option:checked")).to_contain_text("palette-gateways")
    page.get_by_label("3 nodes").check()
    check_accessible(page)
    shoot(page, "configure-placement")
    press_continue(page)

    expect(page.locator("#address-need")).to_contain_text("5 are needed")
    for name, value in POOL.items():
        page.locator(f"#id_{name}").fill(value)
    expect(page.locator("#address-need")).to_contain_text("21 addresses free")
    check_accessible(page)
    shoot(page, "configure-addresses")
    press_continue(page)

    expect(page.get_by_role("button", name="Confirm")).to_be_visible()
    check_accessible(page)
    shoot(page, "configure-summary")
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/clusters/**")
    forget_refusals(quiet)


POOL = {
    "name": "gateway-pool",
    "start": "10.10.183.20",
    "end": "10.10.183.40",
    "subnet_prefix": "24",
    "gateway_address": "10.10.183.1",
    "name_servers": "10.10.0.2",
}
