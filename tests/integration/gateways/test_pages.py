from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from gateways.actions.pairing import create_gateway
from gateways.models import PairingCode, PrivateCloudGateway
from gateways.states import GatewayState
from palette_portal.tenants.models import User
from palette_portal.tenants.roles import Role
from tests.factories import amelia, bao, carla, make_cluster, make_gateway, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> User:
    user = amelia()
    client.force_login(user)
    return user


def pairing_code_on(page: str) -> str:
    return page.split('data-copy="')[-1].split('"')[0]


def test_list_without_gateways_says_what_to_do(client: Client, admin: User) -> None:
    page = client.get("/gateways/").content.decode()

    assert "No gateway yet" in page
    assert "Create Private Cloud Gateway" in page


def test_list_shows_a_widget_for_each_gateway(client: Client, admin: User) -> None:
    waiting = make_gateway(registered=False)
    pending = make_gateway(name="dc-west")

    page = client.get("/gateways/").content.decode()

    assert "Waiting for the installer VM" in page
    assert f"/gateways/{waiting.pk}/install/" in page
    assert "10.10.0.9" in page
    assert f"/gateways/{pending.pk}/configure/" in page


def test_list_of_a_running_gateway_says_the_installer_may_go(client: Client, admin: User) -> None:
    gateway = make_gateway(state=GatewayState.RUNNING, running_at=timezone.now())
    make_cluster(gateway)

    assert "can be powered off" in client.get("/gateways/").content.decode()


def test_list_hides_other_tenants(client: Client, admin: User) -> None:
    make_gateway(carla().tenant, name="borealis-east")

    assert "borealis-east" not in client.get("/gateways/").content.decode()


def test_list_for_support_has_a_disabled_button_with_the_reason(client: Client) -> None:
    client.force_login(make_user("sam", Role.SUPPORT))

    page = client.get("/gateways/").content.decode()

    assert 'aria-disabled="true"' in page
    assert "You need the role Tenant Admin to manage private cloud gateways." in page


def test_list_for_a_project_role_is_denied(client: Client) -> None:
    client.force_login(bao())

    assert client.get("/gateways/").status_code == 403


def test_list_needs_the_same_queries_for_many_gateways(
    client: Client, admin: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_cluster(make_gateway(state=GatewayState.RUNNING))
    client.get("/gateways/")
    with django_assert_num_queries(10) as few:
        client.get("/gateways/")
    for _ in range(5):
        make_cluster(make_gateway(state=GatewayState.RUNNING))

    with django_assert_num_queries(len(few)):
        client.get("/gateways/")


def test_create_leads_to_the_instructions_and_shows_the_code_once(client: Client, admin: User) -> None:
    page = client.post("/gateways/create/vmware/", follow=True).content.decode()
    gateway = PrivateCloudGateway.objects.get()

    assert "Installation instructions" in page
    assert "Copy pairing code" in page
    again = client.get(f"/gateways/{gateway.pk}/install/").content.decode()
    assert "Copy pairing code" not in again
    assert "Generate a new code" in again


def test_create_stores_no_code_in_clear(client: Client, admin: User) -> None:
    client.post("/gateways/create/vmware/")
    session_text = str(dict(client.session))
    page = client.get(f"/gateways/{PrivateCloudGateway.objects.get().pk}/install/").content.decode()
    code = page.split('class="pairing-code"><span class="mono">')[1].split("<")[0]

    assert len(code) == 14
    assert code not in session_text


def test_create_by_get_is_refused(client: Client, admin: User) -> None:
    assert client.get("/gateways/create/vmware/").status_code == 405


def test_create_by_support_is_denied(client: Client) -> None:
    client.force_login(make_user("sam", Role.SUPPORT))

    assert client.post("/gateways/create/vmware/").status_code == 403
    assert not PrivateCloudGateway.objects.exists()


def test_install_of_another_tenant_is_not_found(client: Client, admin: User) -> None:
    stranger = carla()
    gateway, _ = create_gateway(tenant=stranger.tenant, by=stranger)

    assert client.get(f"/gateways/{gateway.pk}/install/").status_code == 404


def test_install_lists_every_property(client: Client, admin: User) -> None:
    gateway, _ = create_gateway(tenant=admin.tenant, by=admin)

    page = client.get(f"/gateways/{gateway.pk}/install/").content.decode()

    for label in (
        "Installer Name",
        "Console endpoint",
        "Pairing Code",
        "SSH Public Key",
        "Pod CIDR",
        "Service cluster IP range",
        "HTTP PROXY",
        "HTTPS PROXY",
        "NO Proxy",
        "Certificate",
    ):
        assert label in page


def test_install_overdue_shows_the_hints_and_the_log_script(client: Client, admin: User) -> None:
    gateway, _ = create_gateway(tenant=admin.tenant, by=admin)
    PairingCode.objects.update(created_at=timezone.now() - timedelta(minutes=11))

    page = client.get(f"/gateways/{gateway.pk}/install/").content.decode()

    assert "has not registered within 10 minutes" in page
    script = client.get("/gateways/installer-log-script/")
    assert b"".join(script).startswith(b"#!")  # type: ignore[call-overload]
    script.close()


def test_install_of_a_registered_gateway_leads_on(client: Client, admin: User) -> None:
    gateway = make_gateway()

    page = client.get(f"/gateways/{gateway.pk}/install/").content.decode()

    assert f"/gateways/{gateway.pk}/configure/" in page
    assert "Generate a new code" not in page


def test_regenerate_after_registration_is_a_conflict(client: Client, admin: User) -> None:
    gateway = make_gateway()

    assert client.post(f"/gateways/{gateway.pk}/install/pairing-code/").status_code == 409


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"console_endpoint": "https://portal.acme.test/"}, "Leave out the slash"),
        ({"pod_cidr": "10.96.0.0/16", "service_cidr": "10.96.0.0/12"}, "overlaps the Pod CIDR"),
        ({"http_proxy": "http://10.0.0.1:3128"}, "are needed together"),
        ({"certificate": "no certificate"}, "This is not base64"),
    ],
)
def test_properties_that_would_fail_in_vsphere_are_named(
    client: Client, admin: User, wrong: dict[str, str], sentence: str
) -> None:
    gateway, code = create_gateway(tenant=admin.tenant, by=admin)
    values = {
        "installer_name": "dc-east",
        "console_endpoint": "https://portal.acme.test",
        "pairing_code": code,
    }

    response = client.post(f"/gateways/{gateway.pk}/install/properties/", {**values, **wrong})

    assert response.status_code == 422
    assert sentence in response.content.decode()


def test_properties_that_are_fine_are_printed_to_copy(client: Client, admin: User) -> None:
    gateway, code = create_gateway(tenant=admin.tenant, by=admin)
    values = {
        "installer_name": "dc-east",
        "console_endpoint": "https://portal.acme.test",
        "pairing_code": code,
    }

    page = client.post(f"/gateways/{gateway.pk}/install/properties/", values).content.decode()

    assert "palette.installer_name=dc-east" in page
    assert "palette.http_proxy" not in page


def test_detail_leads_to_the_cluster(client: Client, admin: User) -> None:
    cluster = make_cluster()

    response = client.get(f"/gateways/{cluster.gateway_id}/")

    assert response["Location"] == f"/clusters/{cluster.pk}/"


def test_detail_without_a_cluster_shows_the_widget(client: Client, admin: User) -> None:
    gateway = make_gateway(name="dc-west")

    assert "dc-west" in client.get(f"/gateways/{gateway.pk}/").content.decode()
