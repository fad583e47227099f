"""The shell and the pages about people, as a person with keyboard, mouse or phone meets them."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from palette_portal.tenants import actions
from palette_portal.tenants.models import User
from palette_portal.tenants.roles import Role
from tests.browser.people import sign_in
from tests.factories import amelia, bao, make_project, make_user

PHONE = {"width": 390, "height": 844}
PUBLIC_PAGES = ("/account/login/", "/account/password/reset/", "/account/password/reset/done/", "/nowhere/")
PAGES = (
    "/settings/projects/",
    "/settings/projects/new/",
    "/settings/users/",
    "/settings/users/new/",
    "/settings/audit/",
    "/account/password/change/",
    "/account/logout/",
    "/nowhere/",
)


@pytest.fixture
def admin(portal: str) -> User:
    return amelia()


@pytest.fixture
def people(admin: User) -> User:
    """A tenant with something on every page; gives the person to look at."""
    editor = bao()
    actions.change_roles(user=editor, roles={make_project().pk: Role.PROJECT_VIEWER}, by=admin)
    actions.deactivate_user(user=make_user("dora", Role.SUPPORT), by=admin)
    return editor


@pytest.fixture
def signed_in(page: Page, portal: str, admin: User) -> Page:
    sign_in(page, portal, admin)
    return page


def open_page(page: Page, address: str, quiet: list[str]) -> None:
    """Chromium complains about the status of /nowhere/, which is what we want to see."""
    page.goto(address)
    quiet[:] = [line for line in quiet if "status of 404" not in line]


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def test_person_signs_in_and_out(page: Page, portal: str, admin: User) -> None:
    sign_in(page, portal, admin)

    page.get_by_role("button", name="account menu of Amelia").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/account/login/**")
    page.goto(f"{portal}/settings/users/")

    expect(page).to_have_url(f"{portal}/account/login/?next=/settings/users/")


def test_wrong_password_is_told_at_the_form(page: Page, portal: str, admin: User) -> None:
    page.goto(f"{portal}/account/login/")
    page.get_by_label("E-mail").fill(admin.email)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert")).to_contain_text("not correct")


def test_theme_is_kept_and_drawn_by_the_server(signed_in: Page, portal: str) -> None:
    page = signed_in
    page.emulate_media(color_scheme="light")
    page.goto(f"{portal}/settings/users/")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.get_by_role("button", name="Switch colour theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    response = page.reload()

    assert response is not None
    assert '<html lang="en-GB" data-theme="dark">' in response.text()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light


def test_keyboard_skips_the_navigation(signed_in: Page, portal: str) -> None:
    page = signed_in
    page.goto(f"{portal}/settings/users/")

    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")

    expect(page.locator("#main")).to_be_focused()


def test_drawer_of_the_phone(signed_in: Page, portal: str) -> None:
    page = signed_in
    page.set_viewport_size(PHONE)
    page.goto(f"{portal}/settings/users/")
    entry = page.get_by_role("link", name="Audit log")
    expect(entry).to_be_hidden()

    page.get_by_role("button", name="Open menu").click()
    expect(entry).to_be_visible()
    page.keyboard.press("Escape")
    expect(entry).to_be_hidden()
    page.get_by_role("button", name="Open menu").click()
    entry.click()

    expect(page).to_have_url(f"{portal}/settings/audit/")


def test_project_is_chosen_in_the_side_navigation(signed_in: Page, portal: str) -> None:
    page = signed_in
    make_project(name="payments")
    page.goto(f"{portal}/settings/users/")

    page.get_by_role("button", name="Scope:").click()
    page.keyboard.press("ArrowDown")
    page.get_by_role("button", name="payments").click()
    page.wait_for_url(lambda url: "/settings/users" not in url)
    page.goto(f"{portal}/settings/users/")

    expect(page.get_by_role("button", name="Scope:")).to_contain_text("payments")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_accessible(
    signed_in: Page,
    portal: str,
    people: User,
    theme: str,
    quiet: list[str],
    check_accessible: Callable[[Page], None],
) -> None:
    page = signed_in
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    for path in (*PAGES, f"/settings/users/{people.pk}/", f"/settings/projects/{make_project().pk}/"):
        open_page(page, f"{portal}{path}", quiet)
        check_accessible(page)
    page.get_by_role("button", name="Scope:").click()
    check_accessible(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_before_sign_in_are_accessible(
    page: Page, portal: str, theme: str, quiet: list[str], check_accessible: Callable[[Page], None]
) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    for path in PUBLIC_PAGES:
        open_page(page, f"{portal}{path}", quiet)
        check_accessible(page)


@pytest.mark.parametrize("width", [390, 860, 1280, 1920])
def test_pages_fit_the_width(
    signed_in: Page, portal: str, people: User, width: int, quiet: list[str]
) -> None:
    page = signed_in
    page.set_viewport_size({"width": width, "height": 900})
    for path in (*PAGES, f"/settings/users/{people.pk}/"):
        open_page(page, f"{portal}{path}", quiet)
        assert overflow(page) <= 0, path


def test_reason_of_a_disabled_button_is_reachable(signed_in: Page, portal: str, admin: User) -> None:
    page = signed_in
    page.goto(f"{portal}/settings/users/{admin.pk}/")
    button = page.get_by_role("button", name="Deactivate", exact=True)
    reason = page.get_by_role("tooltip", include_hidden=True)
    expect(reason).to_be_hidden()

    button.focus()
    expect(reason).to_be_visible()
    expect(button).to_have_accessible_description("You cannot deactivate your own account.")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(reason).to_be_hidden()


def test_dialog_gives_the_focus_back(signed_in: Page, portal: str, people: User) -> None:
    page = signed_in
    page.goto(f"{portal}/settings/users/{people.pk}/")
    button = page.get_by_role("button", name="Deactivate", exact=True)

    button.click()
    expect(page.get_by_role("dialog", name="Deactivate Bao?")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(button).to_be_focused()

    button.click()
    page.get_by_role("button", name="Deactivate user").click()
    expect(page.get_by_role("status").filter(has_text="Bao cannot sign in any more.")).to_be_visible()


def test_first_wrong_field_has_the_focus(signed_in: Page, portal: str, quiet: list[str]) -> None:
    page = signed_in
    page.goto(f"{portal}/settings/users/new/")
    page.get_by_label("Name").fill("Dora")

    page.get_by_role("button", name="Invite user").click()

    expect(page.get_by_label("E-mail")).to_be_focused()
    expect(page.get_by_text("This field is required.")).to_be_visible()
    quiet[:] = [line for line in quiet if "status of 422" not in line]


def test_invitation_link_is_copied(browser: Browser, portal: str, admin: User, people: User) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    sign_in(page, portal, admin)
    invited = actions.invite_user(
        tenant=people.tenant,  # type: ignore[arg-type]
        email="egon@acme.test",
        full_name="Egon",
        roles={None: Role.SUPPORT},
        by=admin,
    )
    page.goto(f"{portal}/settings/users/{invited.pk}/")

    page.get_by_role("button", name="Copy invitation link").click()
    expect(page.locator("#announce")).to_have_text("Copied")

    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#invitation-link").inner_text()
    context.close()


def test_audit_log_filters_as_one_types_and_keeps_it_in_the_address(
    signed_in: Page, portal: str, people: User
) -> None:
    page = signed_in
    page.goto(f"{portal}/settings/audit/")

    page.get_by_label("Search people, actions, objects").fill("deactivate")
    expect(page.locator("#audit-rows tr")).to_have_count(1)
    expect(page).to_have_url(f"{portal}/settings/audit/?q=deactivate&kind=")
    page.reload()

    expect(page.locator("#audit-rows")).to_contain_text("dora@")
    expect(page.locator("#audit-rows tr")).to_have_count(1)


def test_audit_log_loads_older_rows_on_the_way_down(signed_in: Page, portal: str, admin: User) -> None:
    page, project = signed_in, make_project()
    for number in range(70):
        actions.rename_project(project=project, name=f"name-{number}", by=admin)
    page.goto(f"{portal}/settings/audit/")
    expect(page.locator("#audit-rows tr")).to_have_count(51)

    page.get_by_role("link", name="Older rows").scroll_into_view_if_needed()

    expect(page.get_by_text("name-0", exact=True)).to_be_attached()
    expect(page.locator("#audit-rows tr")).to_have_count(70)


def test_session_that_ended_leads_to_sign_in(signed_in: Page, portal: str) -> None:
    page = signed_in
    page.goto(f"{portal}/settings/audit/")
    page.context.clear_cookies(name="sessionid")

    page.get_by_label("Search people, actions, objects").fill("anything")

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page).to_have_url(f"{portal}/account/login/?next=%2Fsettings%2Faudit%2F")
