"""Rename: one name for one gateway of a tenant, told and audited; what was made keeps its name."""

import pytest
from django.test import Client
from django.urls import reverse

from clusters.models import Cluster
from clusters.states import ClusterState
from gateways.models import PrivateCloudGateway
from gateways.states import GatewayState
from palette_portal.orchestration.models import Event
from palette_portal.tenants.models import AuditRow, User
from palette_portal.tenants.roles import Role
from tests.factories import amelia, carla, make_cluster, make_gateway, make_user

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def admin(client: Client) -> User:
    user = amelia()
    client.force_login(user)
    return user


@pytest.fixture
def gateway(db: None) -> PrivateCloudGateway:
    return make_gateway(name="dc-east", state=GatewayState.RUNNING)


def url(gateway: PrivateCloudGateway) -> str:
    return reverse("gateways:rename", args=[gateway.pk])


def name_of(gateway: PrivateCloudGateway) -> str:
    gateway.refresh_from_db()
    return gateway.name


def test_rename_is_told_and_audited(client: Client, admin: User, gateway: PrivateCloudGateway) -> None:
    cluster = make_cluster(gateway, state=ClusterState.RUNNING)

    response = client.post(url(gateway), {"name": " dc-north "})

    assert response["Location"] == reverse("clusters:detail", args=[cluster.pk])
    assert name_of(gateway) == "dc-north"
    assert Cluster.objects.get().name == "dc-east"
    told = Event.objects.of(cluster.subject).get(reason="GatewayRenamed")
    assert told.message == "Amelia renamed the gateway dc-east to dc-north."
    row = AuditRow.objects.get(action="rename")
    assert (row.object_name, row.detail) == ("dc-north", {"was": "dc-east"})


def test_details_page_of_a_renamed_gateway_says_its_name(
    client: Client, admin: User, gateway: PrivateCloudGateway
) -> None:
    details = reverse("clusters:detail", args=[make_cluster(gateway, name="dc-east").pk])
    assert "Gateway dc-east" not in client.get(details).content.decode()

    client.post(url(gateway), {"name": "Frankfurt"})

    assert "Gateway Frankfurt</li>" in client.get(details).content.decode()


def test_rename_from_the_dialog_reloads_the_page(
    client: Client, admin: User, gateway: PrivateCloudGateway
) -> None:
    response = client.post(url(gateway), {"name": "dc-north"}, headers=HTMX)

    assert response["HX-Refresh"] == "true"
    assert Event.objects.of(gateway.subject).get().reason == "GatewayRenamed"


def test_dialog_says_what_keeps_its_name(client: Client, admin: User, gateway: PrivateCloudGateway) -> None:
    before = client.get(url(gateway), headers=HTMX).content.decode()
    make_cluster(gateway, state=ClusterState.RUNNING)
    after = client.get(url(gateway), headers=HTMX).content.decode()

    assert "will be named after it" in before
    assert "keep the names they were made with" in after and 'value="dc-east"' in after


@pytest.mark.parametrize(
    ("name", "reason"), [("", "Enter a name"), ("dc-west", "Another gateway is called dc-west"), ("-x/", "")]
)
def test_rename_to_a_bad_name_is_refused_at_the_field(
    client: Client, admin: User, gateway: PrivateCloudGateway, name: str, reason: str
) -> None:
    make_gateway(name="dc-west")

    response = client.post(url(gateway), {"name": name}, headers=HTMX)

    page = response.content.decode()
    assert response.status_code == 422
    assert "gateway-name-error" in page and reason in page
    assert name_of(gateway) == "dc-east"
    assert not AuditRow.objects.exists()


def test_rename_to_the_name_of_another_tenants_or_a_deleted_gateway(
    client: Client, admin: User, gateway: PrivateCloudGateway
) -> None:
    make_gateway(carla().tenant, name="dc-north")
    make_gateway(name="dc-north", state=GatewayState.DELETED)

    client.post(url(gateway), {"name": "dc-north"})

    assert name_of(gateway) == "dc-north"


def test_rename_to_the_same_name_changes_nothing(
    client: Client, admin: User, gateway: PrivateCloudGateway
) -> None:
    assert client.post(url(gateway), {"name": "dc-east"}).status_code == 302
    assert not AuditRow.objects.exists() and not Event.objects.exists()


def test_rename_while_it_is_deleted_is_refused(client: Client, admin: User) -> None:
    gateway = make_gateway(name="dc-east", state=GatewayState.DELETING)

    response = client.post(url(gateway), {"name": "dc-north"})

    assert response.status_code == 409
    assert "A gateway that is deleted keeps its name." in response.content.decode()
    assert name_of(gateway) == "dc-east"


def test_rename_by_support_and_by_strangers(client: Client, gateway: PrivateCloudGateway) -> None:
    client.force_login(make_user("sam", Role.SUPPORT))
    assert client.post(url(gateway), {"name": "x"}).status_code == 403
    client.force_login(carla())
    assert client.post(url(gateway), {"name": "x"}).status_code == 404
    assert client.delete(url(gateway)).status_code == 405
