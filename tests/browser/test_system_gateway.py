"""The system gateway as an admin meets it: the only widget at first, and a choice for cloud accounts."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from gateways.actions.system import ensure_system_gateway
from gateways.models import PrivateCloudGateway
from palette_portal.tenants.models import User
from tests.browser.people import sign_in
from tests.browser.test_gateway_life import show
from tests.factories import amelia

Check = Callable[[Page], None]


@pytest.fixture
def admin(portal: str) -> User:
    return amelia()


@pytest.fixture
def system(admin: User) -> PrivateCloudGateway:
    assert admin.tenant is not None
    return ensure_system_gateway(admin.tenant)


def test_widget_of_a_new_tenant_says_what_it_is_and_what_cannot_be_done(
    page: Page, portal: str, admin: User, system: PrivateCloudGateway, check_accessible: Check
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/gateways/")

    expect(page.get_by_text("No gateway yet")).to_be_visible()
    expect(page.get_by_role("article", name="System gateway")).to_contain_text("no virtual machine")
    show(page, "system-alone", check_accessible)
    page.get_by_role("button", name="Actions for System gateway").click()
    menu = page.locator(".menu:popover-open")
    expect(menu.get_by_text("it has no virtual machines, and it stays as it is").first).to_be_visible()
    show(page, "system-menu", check_accessible)


def test_cloud_account_can_be_added_from_the_widget(
    page: Page, portal: str, admin: User, system: PrivateCloudGateway, check_accessible: Check
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/gateways/")

    page.get_by_role("link", name="Add cloud account").click()

    page.wait_for_url("**/create/**")
    expect(page.get_by_label("Private cloud gateway")).to_have_value(str(system.pk))
    expect(page.get_by_label("Private cloud gateway")).to_contain_text("Use System Gateway")
    show(page, "system-account", check_accessible)
