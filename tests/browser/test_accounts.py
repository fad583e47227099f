"""Cloud accounts as a person uses them, on the lab's vCenter: made, corrected, tested, removed."""

from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from clusters.models import Cluster
from gateways.models import Availability, CloudAccount, LoginState, PrivateCloudGateway
from gateways.states import GatewayState
from palette_portal.orchestration.actions import record_event
from palette_portal.orchestration.models import Severity
from palette_portal.tenants.models import User
from tests.browser.people import sign_in
from tests.browser.test_gateways import show_themes
from tests.factories import amelia, make_cloud_account, make_cluster, make_gateway, make_pool, make_project
from tests.lab.fixtures import lab, lab_server  # noqa: F401
from tests.lab.vcsim import Lab


@pytest.fixture
def admin(portal: str) -> User:
    return amelia()


@pytest.fixture
def gateway(portal: str) -> PrivateCloudGateway:
    return make_gateway(name="dc-east", state=GatewayState.RUNNING, vcenter_server="vcenter-east.acme.test")


@pytest.fixture
def account(gateway: PrivateCloudGateway, lab: Lab) -> CloudAccount:  # noqa: F811
    """A login that works, in use by the gateway."""
    account = make_cloud_account(
        gateway,
        name="dc-east",
        vcenter_server=lab.server,
        username=lab.username,
        password=lab.password,
        thumbprint_sha256=lab.thumbprint_sha256,
        vcenter_version="8.0.2",
        checked_at=timezone.now(),
        is_default=True,
        description="Made by the Configure wizard.",
    )
    make_cluster(gateway, name="dc-east", cloud_account=account)
    return account


@pytest.fixture
def refused(gateway: PrivateCloudGateway) -> CloudAccount:
    """An account that vCenter refused three times."""
    account = make_cloud_account(
        gateway,
        name="team-payments",
        project=make_project(),
        vcenter_server="vcenter-east.acme.test",
        checked_at=timezone.now(),
        refused_at=timezone.now(),
        refused_logins=3,
        refusal="vcenter-east.acme.test refused the user name or password of portal@vsphere.local.",
    )
    record_event(
        subject=account.subject,
        severity=Severity.ERROR,
        reason="LoginRefused",
        message=f"Cloud account team-payments: {account.refusal}",
    )
    return account


def test_account_is_made_tested_and_deleted(
    page: Page,
    portal: str,
    admin: User,
    gateway: PrivateCloudGateway,
    lab: Lab,  # noqa: F811
    quiet: list[str],
    check_accessible: Callable[[Page], None],
) -> None:
    make_project()
    sign_in(page, portal, admin)
    page.get_by_role("link", name="Cloud Accounts").click()
    page.get_by_role("link", name="Create cloud account").click()
    page.get_by_label("Account Name").fill("east")
    page.get_by_label("vCenter Server").fill(lab.server)
    page.get_by_label("Username").fill(lab.username)
    page.get_by_label("Password").fill(lab.password)
    expect(page.get_by_role("checkbox", name="payments")).to_be_hidden()
    page.get_by_text("Only those that you name.").click()
    page.get_by_role("checkbox", name="payments").check()
    page.get_by_role("button", name="Test and create").click()

    expect(page.get_by_text("Is this your vCenter's certificate?")).to_be_visible()
    expect(page.get_by_label("Password")).to_have_value(lab.password)
    show_themes(page, "account-certificate", check_accessible)
    page.get_by_label("I have compared the thumbprint").check()
    page.get_by_role("button", name="Test and create").click()
    expect(page.get_by_role("heading", name="east", exact=True)).to_be_visible()
    expect(page.get_by_text("Verified")).to_be_visible()
    assert CloudAccount.objects.get().password == lab.password

    page.get_by_role("button", name="Test").click()
    expect(page.get_by_text("The login works.")).to_be_attached()

    page.get_by_role("button", name="Delete").click()
    confirm = page.get_by_role("button", name="Delete cloud account")
    expect(confirm).to_be_disabled()
    page.get_by_label("Type east to confirm").fill("east")
    confirm.click()
    expect(page.get_by_text("No cloud account yet")).to_be_visible()
    quiet.clear()  # the browser notes every answer of 400 and more


def test_refusal_of_the_whole_form_is_in_view_above_a_long_form(
    page: Page,
    portal: str,
    admin: User,
    gateway: PrivateCloudGateway,
    lab: Lab,  # noqa: F811
    quiet: list[str],
) -> None:
    make_pool(gateway, name="nodes")
    make_pool(make_gateway(name="dc-west", vcenter_server=lab.server), name="machines")
    sign_in(page, portal, admin)
    page.set_viewport_size({"width": 390, "height": 600})
    page.goto(f"{portal}/cloud-accounts/create/")
    for field, value in {"name": "east", "server": lab.server, "username": lab.username}.items():
        page.locator(f"#id_{field}").fill(value)
    page.locator("#id_password").fill(lab.password)
    page.get_by_role("button", name="Test and create").click()
    page.locator("#id_trusted_thumbprint").check()

    page.get_by_role("button", name="Test and create").click()

    refusal = page.locator("form [role=alert]", has_text="overlaps with")
    expect(refusal).to_be_in_viewport(ratio=1)
    expect(refusal).not_to_contain_text("Create cloud account")
    quiet[:] = [line for line in quiet if "422" not in line]


def test_changed_password_is_corrected(
    page: Page,
    portal: str,
    admin: User,
    account: CloudAccount,
    lab: Lab,  # noqa: F811
    quiet: list[str],
) -> None:
    lab.change_password("another one")
    sign_in(page, portal, admin)
    page.goto(f"{portal}/cloud-accounts/{account.pk}/")
    page.get_by_role("button", name="Test").click()
    # The answer says that the test failed; the page's stream may replace it with the account as it is now.
    expect(page.locator(".pill").get_by_text("Login refused")).to_be_visible()

    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_label("vCenter Server")).to_be_disabled()
    page.get_by_label("Password").fill("not this one")
    page.get_by_role("button", name="Save cloud account").click()
    expect(page.locator("#id_password_error")).to_be_visible()
    expect(page.get_by_label("Password")).to_have_value("")
    page.get_by_label("Password").fill("another one")
    page.get_by_role("button", name="Save cloud account").click()

    expect(page.locator(".pill").get_by_text("Verified")).to_be_visible()
    expect(page.get_by_text("accepts the login")).to_be_visible()
    account.refresh_from_db()
    assert (account.password, account.state) == ("another one", LoginState.VERIFIED)
    quiet.clear()


def test_account_in_use_names_its_clusters_instead_of_a_delete_button(
    page: Page, portal: str, admin: User, account: CloudAccount
) -> None:
    sign_in(page, portal, admin)
    page.goto(f"{portal}/cloud-accounts/{account.pk}/")
    page.get_by_role("button", name="Delete").click()

    expect(page.get_by_text("The account is in use")).to_be_visible()
    expect(page.get_by_role("button", name="Delete cloud account")).to_have_count(0)
    page.get_by_role("dialog").get_by_role("link", name="dc-east").click()
    page.wait_for_url(f"**/clusters/{Cluster.objects.get().pk}/")


def test_pages_are_accessible_in_both_themes(
    page: Page,
    portal: str,
    admin: User,
    account: CloudAccount,
    refused: CloudAccount,
    check_accessible: Callable[[Page], None],
) -> None:
    chosen = make_cloud_account(
        account.gateway, name="dc-east-shared", availability=Availability.CHOSEN, created_by=admin
    )
    chosen.projects.add(make_project(), make_project(name="ledger"))
    sign_in(page, portal, admin)

    for name, path in {
        "accounts": "",
        "account": f"{account.pk}/",
        "account-refused": f"{refused.pk}/",
        "account-chosen": f"{chosen.pk}/",
        "account-edit": f"{account.pk}/edit/",
        "account-create": "create/",
    }.items():
        page.goto(f"{portal}/cloud-accounts/{path}")
        show_themes(page, name, check_accessible)
