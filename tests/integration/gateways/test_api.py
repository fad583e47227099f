from uuid import uuid4

import pytest
from django.test import Client

from gateways.actions.pairing import create_gateway
from gateways.models import PrivateCloudGateway
from tests.factories import amelia, make_gateway

pytestmark = pytest.mark.django_db

PROXY = {
    "http_proxy": "http://u:p@10.0.0.1:3128",
    "https_proxy": "http://u:p@10.0.0.1:3128",
    "no_proxy": ".acme",
}


def register(client: Client, code: str, **fields: object) -> object:
    body = {"pairing_code": code, "name": "dc-east", "ip_address": "10.10.0.9", "version": "1.0.0", **fields}
    return client.post("/v1/pcg/-/register", body, content_type="application/json")


@pytest.fixture
def code() -> str:
    admin = amelia()
    return create_gateway(tenant=admin.tenant, by=admin)[1]


def test_register_answers_with_a_token(client: Client, code: str) -> None:
    response = register(client, code)

    assert response.status_code == 201
    assert response.json()["gateway_uid"] == str(PrivateCloudGateway.objects.get().pk)
    assert len(response.json()["token"]) > 30


def test_register_keeps_proxy_and_networks(client: Client, code: str) -> None:
    register(client, code, proxy=PROXY, pod_cidr="10.244.0.0/16", service_cidr="10.96.0.0/12")

    gateway = PrivateCloudGateway.objects.get()
    assert gateway.http_proxy == "http://u:p@10.0.0.1:3128"
    assert (gateway.pod_cidr, gateway.service_cidr) == ("10.244.0.0/16", "10.96.0.0/12")


def test_register_with_an_unknown_code_is_404(client: Client) -> None:
    response = register(client, "0000-0000-0000")

    assert response.status_code == 404
    assert response.json()["code"] == "InvalidPairingCode"


def test_register_with_a_used_code_is_410(client: Client, code: str) -> None:
    register(client, code)

    response = register(client, code)

    assert response.status_code == 410
    assert response.json()["code"] == "PairingCodeUsed"


@pytest.mark.parametrize(
    "wrong",
    [
        {"ip_address": "10.10.0"},
        {"name": "-east"},
        {"pod_cidr": "10.96.0.0/16", "service_cidr": "10.96.0.0/12"},
        {"proxy": {"http_proxy": "http://10.0.0.1:3128"}},
        {"proxy": {"http_proxy": "x", "https_proxy": "x", "no_proxy": "x"}},
        {"proxy": {**PROXY, "https_proxy": 'http://10.0.0.1:3128"'}},
        {"proxy": {**PROXY, "no_proxy": ".acme\nEnvironment=X=1"}},
        {"proxy": {**PROXY, "certificate": "aGVsbG8="}},
    ],
)
def test_register_with_wrong_values_is_422_and_changes_nothing(
    client: Client, code: str, wrong: dict[str, object]
) -> None:
    response = register(client, code, **wrong)

    assert response.status_code == 422
    assert response.json()["code"] == "InvalidRequest"
    assert PrivateCloudGateway.objects.get().registered_at is None


def test_register_is_rate_limited(client: Client) -> None:
    statuses = {register(client, f"0000-0000-{number:04}").status_code for number in range(12)}

    assert statuses == {404, 429}


def test_rate_limit_believes_no_address_that_the_client_claims(client: Client) -> None:
    statuses = [
        client.post(
            "/v1/pcg/-/register",
            {"pairing_code": "0000-0000-0000", "name": "dc-east", "ip_address": "10.10.0.9"},
            content_type="application/json",
            headers={"X-Forwarded-For": f"10.99.0.{number}"},
        ).status_code
        for number in range(12)
    ]

    assert statuses[-1] == 429


def test_heartbeat_with_the_token_is_recorded(client: Client, code: str) -> None:
    answer = register(client, code).json()

    response = client.post(
        f"/v1/pcg/{answer['gateway_uid']}/heartbeat",
        {"ip_address": "10.10.0.10", "version": "1.0.0"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {answer['token']}"},
    )

    assert response.status_code == 200
    assert response.json()["state"] == "Pending"
    assert PrivateCloudGateway.objects.get().installer_ip == "10.10.0.10"


@pytest.mark.parametrize("token", ["", "wrong"])
def test_heartbeat_without_the_right_token_is_401(client: Client, token: str) -> None:
    gateway = make_gateway()

    response = client.post(
        f"/v1/pcg/{gateway.pk}/heartbeat",
        {"ip_address": "10.10.0.10"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )

    assert response.status_code == 401


def test_heartbeat_for_a_gateway_that_does_not_exist_is_401(client: Client) -> None:
    response = client.post(
        f"/v1/pcg/{uuid4()}/heartbeat",
        {"ip_address": "10.10.0.10"},
        content_type="application/json",
        headers={"Authorization": "Bearer installer-token"},
    )

    assert response.status_code == 401
