"""Pages of cloud accounts follow by themselves what happens to their login and their clusters."""

from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from gateways.account_live import AccountChannel
from gateways.actions.accounts import delete_account
from gateways.logins import note_refusal
from gateways.models import Availability
from palette_portal.orchestration.changes import Change
from palette_portal.tenants.roles import Role
from palette_portal.vsphere.errors import LoginRefused
from tests.factories import amelia, bao, carla, make_cloud_account, make_cluster, make_project, make_user

pytestmark = pytest.mark.django_db


def change_of(account, **more):
    return Change(account.tenant_id, "cloud-account", account.pk, **more)


def test_list_shows_a_refused_login_without_a_reload() -> None:
    admin, account = amelia(), make_cloud_account(name="east")
    subscription = AccountChannel().open(admin, {}, {})
    assert subscription

    note_refusal(account, LoginRefused("vCenter refused the password."))
    (message,) = subscription.changed(change_of(account))

    assert 'id="account-list"' in message.html and 'hx-swap-oob="true"' in message.html
    assert "Login refused" in message.html


def test_page_shows_a_refused_login_and_its_event() -> None:
    admin, account = amelia(), make_cloud_account(name="east")
    subscription = AccountChannel().open(admin, {}, {"only": str(account.pk)})
    assert subscription

    note_refusal(account, LoginRefused("vCenter refused the password."))
    (message,) = subscription.changed(change_of(account))

    assert 'id="account-now" hx-swap-oob="true"' in message.html
    assert 'id="account-state" hx-swap-oob="true"' in message.html
    assert message.html.count("vCenter refused the password.") == 2


def test_page_shows_a_new_cluster_of_the_account() -> None:
    admin, account = amelia(), make_cloud_account()
    subscription = AccountChannel().open(admin, {}, {"only": str(account.pk)})
    assert subscription
    shop = make_cluster(
        account.gateway, name="shop", project=make_project(admin.tenant), cloud_account=account
    )

    (message,) = subscription.changed(Change(account.tenant_id, "cluster", shop.pk))

    assert reverse("clusters:detail", args=[shop.pk]) in message.html


def test_page_is_quiet_about_steps_and_other_accounts() -> None:
    admin, account, other = amelia(), make_cloud_account(), make_cloud_account()
    subscription = AccountChannel().open(admin, {}, {"only": str(account.pk)})
    assert subscription

    assert subscription.changed(change_of(other)) == []
    assert subscription.changed(Change(account.tenant_id, "cluster", uuid4(), step_id=uuid4())) == []
    assert subscription.changed(Change(account.tenant_id, "gateway", account.gateway_id)) == []


def test_page_of_an_account_that_is_deleted_says_so() -> None:
    admin, account = amelia(), make_cloud_account()
    subscription = AccountChannel().open(admin, {}, {"only": str(account.pk)})
    assert subscription
    change = change_of(account)

    delete_account(account=account, by=admin)
    (message,) = subscription.changed(change)

    assert "not there any more" in message.html
    assert AccountChannel().open(admin, {}, {"only": str(change.subject_id)}) is None


def test_stream_is_for_those_who_see_the_account() -> None:
    account = make_cloud_account(availability=Availability.NONE)
    query = {"only": str(account.pk)}

    assert AccountChannel().open(amelia(), {}, query)
    assert AccountChannel().open(make_user("sam", Role.SUPPORT), {}, query)
    assert AccountChannel().open(bao(), {}, query) is None
    assert AccountChannel().open(carla(), {}, query) is None
    assert AccountChannel().open(amelia_again(), {}, {"only": "nonsense"}) is None


def amelia_again():
    return make_user("anna", Role.TENANT_ADMIN)


def test_list_of_a_project_editor_has_only_the_accounts_of_the_project() -> None:
    hidden = make_cloud_account(name="hidden-one", availability=Availability.NONE)
    make_cloud_account(hidden.gateway, name="open-one")
    subscription = AccountChannel().open(bao(), {}, {})
    assert subscription

    (message,) = subscription.snapshot()

    assert "open-one" in message.html and "hidden-one" not in message.html


@pytest.mark.parametrize("name", ["list", "detail"])
def test_page_connects_to_its_stream(client: Client, name: str) -> None:
    account = make_cloud_account()
    client.force_login(amelia())
    arguments = [account.pk] if name == "detail" else []

    page = client.get(reverse(f"accounts:{name}", args=arguments)).content.decode()

    assert f'sse-connect="/streams/accounts/{"?only=" + str(account.pk) if arguments else ""}"' in page


def test_viewer_of_a_project_has_no_stream_of_accounts() -> None:
    viewer = make_user("vera", Role.PROJECT_VIEWER, project=make_project())

    assert AccountChannel().open(viewer, {}, {}) is None
