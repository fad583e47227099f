"""How people get into the portal in browser tests."""

from playwright.sync_api import Page

from palette_portal.tenants.models import User
from tests.factories import PASSWORD


def sign_in(page: Page, portal: str, user: User) -> None:
    page.goto(f"{portal}/account/login/")
    page.get_by_label("E-mail").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/account/login" not in url)
