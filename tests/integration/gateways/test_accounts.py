"""The pages of cloud accounts, against the lab's vCenter: what a login has to prove before it is kept."""

import ssl

import pytest
from django.utils import timezone

from clusters.models import Cluster
from clusters.states import ClusterState
from gateways.logins import note_refusal
from gateways.models import CloudAccount, LoginState
from gateways.states import GatewayState
from palette_portal.orchestration.actions import CannotRetry, start_operation
from palette_portal.orchestration.models import Event, OperationKind, StepState
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants.models import AuditRow
from palette_portal.vsphere.errors import LoginRefused
from tests.factories import make_cluster, make_gateway, make_pool, make_project
from tests.integration.gateways.account_pages import path, same, typed

pytestmark = pytest.mark.django_db


def failed_step(account, admin):
    cluster = make_cluster(account.gateway, cloud_account=account)
    steps = [StepSpec("account", "Validate vCenter account", "tests.none")]
    operation = start_operation(kind=OperationKind.PROVISION, subject=cluster.subject, steps=steps, by=admin)
    operation.steps.update(state=StepState.RETRYING, due_at="2100-01-01T00:00Z", reason="LoginRefused")
    return operation.steps.get()


# Create


def test_created_account_is_verified_and_audited(client, admin, gateway, lab):
    response = client.post(path("create"), typed(gateway, lab, description="For the east"))

    account = CloudAccount.objects.get()
    assert response.url == path("detail", account)
    assert (account.password, account.thumbprint_sha256) == (lab.password, lab.thumbprint_sha256)
    assert (account.state, account.vcenter_version[:2]) == (LoginState.VERIFIED, "8.")
    assert (account.project, account.description, account.created_by) == (None, "For the east", admin)
    assert AuditRow.objects.get(object_kind="cloud-account").action == "create"


def test_account_that_would_bring_two_pools_with_the_same_addresses_together_is_refused(
    client, admin, gateway, lab
):
    make_pool(gateway, name="nodes")
    other = make_gateway(name="dc-west", vcenter_server=lab.server)
    make_pool(other, name="machines", start="10.10.183.40", end="10.10.183.50")

    response = client.post(path("create"), typed(gateway, lab))

    assert response.status_code == 422
    (error,) = response.context["form"].non_field_errors()
    assert f"of {gateway} overlaps with machines (10.10.183.40 to 10.10.183.50) of dc-west" in error
    assert not CloudAccount.objects.exists()


def test_unknown_certificate_is_shown_before_anything_is_sent(client, admin, gateway, lab):
    lab.forget_calls()

    response = client.post(path("create"), typed(gateway, lab, trusted_thumbprint=""))

    assert response.status_code == 422
    assert lab.thumbprint_sha256 in response.content.decode()
    assert (CloudAccount.objects.count(), lab.calls().get("Login", 0)) == (0, 0)


def test_browser_keeps_the_typed_password_over_the_certificate_question(client, admin, gateway, lab):
    page = client.post(path("create"), typed(gateway, lab, trusted_thumbprint="")).content.decode()

    assert 'hx-preserve="true"' in page
    assert lab.password not in page


def test_refused_password_stands_at_its_field_and_is_not_sent_back(client, admin, gateway, lab):
    response = client.post(path("create"), typed(gateway, lab, password="never-shown-again"))

    page = response.content.decode()
    assert response.status_code == 422
    assert "id_password_error" in page and "hx-preserve" not in page
    assert "never-shown-again" not in page
    assert not CloudAccount.objects.exists()


def test_answer_to_htmx_is_the_form_alone(client, admin, gateway, lab):
    headers = {"hx-request": "true"}

    refused = client.post(path("create"), typed(gateway, lab, name=""), headers=headers)
    created = client.post(path("create"), typed(gateway, lab), headers=headers)

    assert "<html" not in refused.content.decode() and refused["Vary"].count("HX-Request") == 1
    assert created["HX-Redirect"] == path("detail", CloudAccount.objects.get())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("server", "https://vcenter/sdk?x"),
        ("password", ""),
        ("ca_pem", "no certificate"),
        ("gateway", "6f0a3a57-6c0f-4c8a-9f5c-2f4f0f0f0f01"),
        ("scope", "6f0a3a57-6c0f-4c8a-9f5c-2f4f0f0f0f02"),
    ],
)
def test_wrong_value_is_refused_at_its_field(client, admin, gateway, lab, field, value):
    response = client.post(path("create"), {**typed(gateway, lab), field: value})

    assert response.status_code == 422
    assert f"id_{field}_error" in response.content.decode()


def test_server_in_a_denied_network_is_not_asked(client, admin, gateway, lab):
    response = client.post(path("create"), typed(gateway, lab, server="169.254.169.254"))

    assert response.status_code == 422
    assert "does not connect to addresses of that network" in response.content.decode()


def test_person_who_tests_too_often_has_to_wait(client, account, monkeypatch):
    monkeypatch.setattr("gateways.check_limits.CHECKS_PER_MINUTE", 0)

    tested = client.post(path("test", account))
    saved = client.post(path("edit", account), same(account, password="guess"))

    assert (tested.status_code, saved.status_code) == (409, 422)
    assert "Wait a minute" in tested.content.decode() and "Wait a minute" in saved.content.decode()


def test_gateway_that_is_not_running_is_not_offered(client, admin, gateway, lab):
    pending = make_gateway(name="dc-west")

    page = client.get(path("create")).content.decode()
    response = client.post(path("create"), typed(pending, lab))

    assert "dc-east" in page and "dc-west" not in page
    assert response.status_code == 422


def test_ca_certificate_that_vouches_needs_no_thumbprint(client, admin, gateway, lab):
    host, _, port = lab.server.partition(":")
    pem = ssl.get_server_certificate((host, int(port)))

    response = client.post(path("create"), typed(gateway, lab, trusted_thumbprint="", ca_pem=pem))

    account = CloudAccount.objects.get()
    assert response.status_code == 302
    assert (account.thumbprint_sha256, account.ca_pem) == ("", pem.strip())
    assert client.post(path("test", account)).url == path("detail", account)


def test_same_name_in_tenant_and_project_is_shown_with_its_scope(client, account, gateway, lab):
    project = make_project()

    refused = client.post(path("create"), typed(gateway, lab))
    created = client.post(path("create"), typed(gateway, lab, scope=str(project.pk)))

    assert (refused.status_code, created.status_code) == (422, 302)
    assert "Another cloud account of this scope has this name." in refused.content.decode()
    page = client.get(path("list")).content.decode()
    assert ">Tenant</span>" in page and ">Project payments</span>" in page


def test_chosen_projects_have_to_be_chosen(client, admin, gateway, lab):
    project = make_project()

    refused = client.post(path("create"), typed(gateway, lab, availability="chosen"))
    kept = client.post(path("create"), typed(gateway, lab, availability="chosen", projects=[str(project.pk)]))

    assert "id_projects_error" in refused.content.decode()
    assert kept.status_code == 302
    assert list(CloudAccount.objects.get().projects.all()) == [project]


# Edit and rotation


def test_new_password_is_kept_and_failed_steps_go_on(client, account, admin, lab):
    CloudAccount.objects.update(password="forgotten")
    step = failed_step(account, admin)

    response = client.post(path("edit", account), same(account, password=lab.password))

    assert response.status_code == 302
    account.refresh_from_db()
    step.refresh_from_db()
    assert account.password == lab.password
    assert step.due_at.year < 2100
    row = AuditRow.objects.get(object_kind="cloud-account")
    assert (row.action, row.detail["changed"]) == ("change-credentials", ["password"])
    assert Event.objects.filter(reason="CredentialsChanged").count() == 1


@pytest.mark.parametrize(("refused", "told"), [(True, 1), (False, 0)])
def test_corrected_login_is_told_once_where_its_refusal_was_told(client, account, lab, refused, told):
    if refused:
        note_refusal(account, LoginRefused("No."))
    CloudAccount.objects.update(password="forgotten")
    account.refresh_from_db()

    client.post(path("edit", account), same(account, password=lab.password))

    account.refresh_from_db()
    assert account.state == LoginState.VERIFIED
    assert Event.objects.filter(reason="LoginAccepted", subject_id=account.pk).count() == told


def test_step_that_a_worker_took_meanwhile_does_not_undo_the_change(client, account, admin, lab, monkeypatch):
    def taken(step, *, by):
        raise CannotRetry(step)

    monkeypatch.setattr("gateways.actions.accounts.retry_step_now", taken)
    CloudAccount.objects.update(password="forgotten")
    failed_step(account, admin)

    response = client.post(path("edit", account), same(account, password=lab.password))

    assert response.status_code == 302
    account.refresh_from_db()
    assert account.password == lab.password


def test_password_that_vcenter_refuses_is_not_kept(client, account):
    response = client.post(path("edit", account), same(account, password="wrong-again"))

    assert response.status_code == 422
    assert "wrong-again" not in response.content.decode()
    before = account.password
    account.refresh_from_db()
    assert account.password == before


def test_description_can_be_changed_while_vcenter_is_down(client, account, lab):
    lab.unreachable(60)

    response = client.post(path("edit", account), same(account, description="Elsewhere"))

    assert response.status_code == 302
    account.refresh_from_db()
    assert (account.description, account.password) == ("Elsewhere", lab.password)
    assert AuditRow.objects.get(object_kind="cloud-account").action == "change"


@pytest.mark.parametrize("field", ["server", "username"])
def test_stored_password_is_never_sent_elsewhere(client, account, field):
    response = client.post(path("edit", account), same(account, **{field: "other.acme.test"}))

    assert response.status_code == 422
    assert "The stored password belongs to another server or user." in response.content.decode()


def test_changed_certificate_is_shown_and_trusted_with_the_stored_password(client, account, lab):
    CloudAccount.objects.update(thumbprint_sha256="AA:BB", refused_at=timezone.now(), refusal="It changed.")

    asked = client.post(path("edit", account), same(account))
    kept = client.post(path("edit", account), same(account, trusted_thumbprint=lab.thumbprint_sha256))

    assert (asked.status_code, kept.status_code) == (422, 302)
    assert lab.thumbprint_sha256 in asked.content.decode()
    account.refresh_from_db()
    assert (account.thumbprint_sha256, account.state) == (lab.thumbprint_sha256, LoginState.VERIFIED)


def test_server_and_gateway_stay_while_a_cluster_uses_the_account(client, account):
    make_cluster(account.gateway, cloud_account=account)
    other = make_gateway(name="dc-west", state=GatewayState.RUNNING)

    response = client.post(
        path("edit", account), same(account, server="elsewhere.test", gateway=str(other.pk))
    )

    before = (account.vcenter_server, account.gateway_id)
    account.refresh_from_db()
    assert response.status_code == 302
    assert (account.vcenter_server, account.gateway_id) == before


def test_edit_page_never_shows_the_password(client, account, lab):
    page = client.get(path("edit", account)).content.decode()

    assert lab.password not in page and "Stored. Leave empty to keep it." in page


# Test


def test_test_of_a_login_that_works_turns_a_red_account_green(client, account, admin):
    CloudAccount.objects.update(refused_at=timezone.now(), refused_logins=3, refusal="Refused.")
    step = failed_step(account, admin)

    response = client.post(path("test", account))

    account.refresh_from_db()
    step.refresh_from_db()
    assert response.status_code == 302
    assert (account.state, account.refused_logins) == (LoginState.VERIFIED, 0)
    assert step.due_at.year < 2100
    assert Event.objects.filter(reason="LoginAccepted").count() == 1
    assert not Event.objects.filter(reason="CredentialsChanged").exists()
    assert AuditRow.objects.get(object_kind="cloud-account").action == "test"


def test_test_of_a_wrong_password_turns_the_account_red_once(client, account, lab):
    lab.change_password("another one")

    responses = [client.post(path("test", account)) for _ in range(2)]

    account.refresh_from_db()
    assert [response.status_code for response in responses] == [422, 422]
    assert (account.state, account.refused_logins) == (LoginState.LOGIN_REFUSED, 2)
    assert Event.objects.filter(reason="LoginRefused").count() == 1
    assert "Login refused" in client.get(path("list")).content.decode()


def test_test_tells_a_changed_certificate_and_sends_no_password(client, account, lab):
    CloudAccount.objects.update(thumbprint_sha256="AA:BB")
    lab.forget_calls()

    response = client.post(path("test", account))

    account.refresh_from_db()
    assert response.status_code == 422
    assert account.state == LoginState.CERTIFICATE_REFUSED
    assert lab.calls().get("Login", 0) == 0


def test_test_of_a_vcenter_that_is_down_says_nothing_about_the_login(client, account, lab):
    lab.unreachable(60)

    response = client.post(path("test", account))

    account.refresh_from_db()
    assert (response.status_code, account.state) == (422, LoginState.VERIFIED)


def test_test_without_a_stored_password(client, account):
    CloudAccount.objects.update(password="")

    assert client.post(path("test", account)).status_code == 409
    assert "Unchecked" in client.get(path("detail", account)).content.decode()


# Delete


def test_delete_wants_the_name_and_forgets_deleted_clusters(client, account):
    cluster = make_cluster(
        account.gateway, cloud_account=account, state=ClusterState.DELETED, deleted_at=timezone.now()
    )

    mistyped = client.post(path("delete", account), {"confirm": "west"})
    typed_right = client.post(path("delete", account), {"confirm": "east"})

    assert (mistyped.status_code, typed_right.url) == (409, path("list"))
    assert not CloudAccount.objects.exists()
    assert Cluster.objects.get(pk=cluster.pk).cloud_account is None
    assert AuditRow.objects.get(object_kind="cloud-account").action == "delete"


def test_delete_is_refused_while_a_cluster_uses_it_and_names_it(client, account):
    cluster = make_cluster(account.gateway, cloud_account=account)

    response = client.post(path("delete", account), {"confirm": "east"})
    page = client.get(path("detail", account)).content.decode()

    assert response.status_code == 409
    assert f"/clusters/{cluster.pk}/" in page
    assert "Type <span" not in page
