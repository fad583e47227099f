from collections.abc import Iterator

import pytest
from django.test import Client

from gateways.models import CloudAccount
from palette_portal.orchestration.actions import CannotRetry, start_operation
from palette_portal.orchestration.models import Event, OperationKind, Step, StepState
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants.models import AuditRow, User
from palette_portal.tenants.roles import Role
from tests.factories import amelia, carla, make_cloud_account, make_cluster, make_gateway, make_user
from tests.lab.vcsim import Lab

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> User:
    user = amelia()
    client.force_login(user)
    return user


@pytest.fixture
def account(admin: User, lab: Lab) -> Iterator[CloudAccount]:
    """The default account of a gateway whose password is wrong by now."""
    gateway = make_gateway(name="dc-east")
    yield make_cloud_account(
        gateway,
        vcenter_server=lab.server,
        username=lab.username,
        password="forgotten",
        thumbprint_sha256=lab.thumbprint_sha256,
        is_default=True,
    )


def url(account: CloudAccount) -> str:
    return f"/gateways/{account.gateway_id}/credentials/"


def test_credentials_that_work_are_kept_and_failed_steps_go_on(
    client: Client, account: CloudAccount, admin: User, lab: Lab
) -> None:
    cluster = make_cluster(account.gateway, cloud_account=account)
    steps = [StepSpec("account", "Validate vCenter account", "tests.none")]
    operation = start_operation(kind=OperationKind.PROVISION, subject=cluster.subject, steps=steps, by=admin)
    operation.steps.update(state=StepState.RETRYING, due_at="2100-01-01T00:00Z", reason="LoginRefused")

    response = client.post(url(account), {"username": lab.username, "password": lab.password})

    assert response.status_code == 302
    account.refresh_from_db()
    assert account.password == lab.password
    assert operation.steps.get().due_at.year < 2100
    assert AuditRow.objects.get().action == "change-credentials"
    assert Event.objects.filter(reason="CredentialsChanged").exists()


def test_step_that_a_worker_took_meanwhile_does_not_undo_the_change(
    client: Client, account: CloudAccount, admin: User, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(step: Step, *, by: User) -> None:
        raise CannotRetry(step)

    monkeypatch.setattr("gateways.actions.credentials.retry_step_now", taken)
    cluster = make_cluster(account.gateway, cloud_account=account)
    steps = [StepSpec("account", "Validate vCenter account", "tests.none")]
    operation = start_operation(kind=OperationKind.PROVISION, subject=cluster.subject, steps=steps, by=admin)
    operation.steps.update(state=StepState.RETRYING, due_at="2100-01-01T00:00Z", reason="LoginRefused")

    response = client.post(url(account), {"username": lab.username, "password": lab.password})

    assert response.status_code == 302
    account.refresh_from_db()
    assert account.password == lab.password


def test_credentials_that_vcenter_refuses_are_not_kept(client: Client, account: CloudAccount) -> None:
    response = client.post(url(account), {"username": account.username, "password": "wrong-again"})

    assert response.status_code == 422
    assert "id_password_error" in response.content.decode()
    assert "wrong-again" not in response.content.decode()
    account.refresh_from_db()
    assert account.password == "forgotten"


def test_changed_certificate_is_shown_and_has_to_be_trusted(
    client: Client, account: CloudAccount, lab: Lab
) -> None:
    CloudAccount.objects.update(thumbprint_sha256="AA:BB")
    values = {"username": lab.username, "password": lab.password}

    asked = client.post(url(account), values)
    kept = client.post(url(account), {**values, "trusted_thumbprint": lab.thumbprint_sha256})

    assert lab.thumbprint_sha256 in asked.content.decode()
    assert (asked.status_code, kept.status_code) == (422, 302)


def test_page_never_shows_the_password(client: Client, account: CloudAccount) -> None:
    assert "forgotten" not in client.get(url(account)).content.decode()


def test_stranger_finds_nothing(client: Client, account: CloudAccount) -> None:
    client.force_login(carla())

    assert client.get(url(account)).status_code == 404


def test_support_is_denied(client: Client, account: CloudAccount) -> None:
    client.force_login(make_user("sam", Role.SUPPORT))

    assert client.post(url(account), {"username": "x", "password": "y"}).status_code == 403
