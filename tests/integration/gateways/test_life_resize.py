"""Resize from the pages: what it needs is said first, and why it cannot be. What follows runs on the lab."""

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from clusters.models import Cluster, MachinePool, Placement
from clusters.states import ClusterState, MachineState
from gateways import room
from gateways.actions.system import ensure_system_gateway
from gateways.models import PrivateCloudGateway
from gateways.prerequisites.report import Line
from gateways.states import GatewayState
from palette_portal.orchestration.actions import start_operation
from palette_portal.orchestration.models import Operation, OperationKind
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants.models import AuditRow, User
from palette_portal.tenants.roles import Role
from tests.factories import (
    amelia,
    carla,
    make_cluster,
    make_gateway,
    make_machine,
    make_machine_pool,
    make_pool,
    make_user,
)

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
ROOM = [Line("space", "passed", "Datastore", "shared-1", "500 GB free; 65 GB are needed.")]


@pytest.fixture
def admin(client: Client) -> User:
    user = amelia()
    client.force_login(user)
    return user


@pytest.fixture
def gateway(db: None) -> PrivateCloudGateway:
    return make_gateway(name="dc-east", state=GatewayState.RUNNING)


@pytest.fixture
def body(gateway: PrivateCloudGateway) -> Cluster:
    """With one node, and with as many free addresses as it takes."""
    cluster = make_cluster(gateway, state=ClusterState.RUNNING)
    pool = make_machine_pool(cluster, ip_pool=make_pool(gateway, name="east-pool"))
    make_machine(pool, state=MachineState.RUNNING)
    return cluster


@pytest.fixture(autouse=True)
def vcenter(monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    """What vCenter has: the lines may be changed."""
    lines = list(ROOM)
    monkeypatch.setattr(room, "_in_vcenter", lambda *_: lines)
    return lines


def url(gateway: PrivateCloudGateway) -> str:
    return reverse("gateways:resize", args=[gateway.pk])


def pool_size(body: Cluster) -> int:
    return MachinePool.objects.get(cluster=body).size


def test_dialog_says_what_it_takes(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster
) -> None:
    page = client.get(url(gateway), headers=HTMX).content.decode()

    assert "one after the other" in page and "cannot go back to one node" in page
    assert "500 GB free; 65 GB are needed." in page
    assert "21 addresses free; 3 needed: 2 for nodes and 1 extra" in page
    assert "Resize gateway</button>" in page


def test_resize_starts_an_operation_and_is_audited(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster
) -> None:
    response = client.post(url(gateway), {"size": "3"})

    assert response["Location"] == reverse("clusters:detail", args=[body.pk])
    operation = Operation.objects.get()
    assert (operation.kind, operation.requested_by) == (OperationKind.RESIZE, admin)
    assert pool_size(body) == 3
    gateway.refresh_from_db()
    assert (gateway.size, gateway.state) == (1, GatewayState.RUNNING)
    assert AuditRow.objects.get(action="resize").object_name == "dc-east"


def test_resize_from_the_dialog_leads_to_the_steps(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster
) -> None:
    response = client.post(url(gateway), headers=HTMX)

    assert response["HX-Redirect"] == reverse("clusters:detail", args=[body.pk])


def test_page_without_htmx_is_a_page(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster
) -> None:
    page = client.get(url(gateway)).content.decode()

    assert "<html" in page and "Resize gateway</button>" in page


def test_no_room_shows_what_is_missing_and_no_button(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster, vcenter: list[Line]
) -> None:
    vcenter[:] = [Line("space", "failed", "Datastore", "shared-1", "9 GB free.", "Free space on it.")]

    page = client.get(url(gateway), headers=HTMX).content.decode()
    refused = client.post(url(gateway), {"size": "3"}, headers=HTMX)

    assert "Free space on it." in page and "Resize gateway</button>" not in page
    assert refused.status_code == 409
    assert "9 GB free." in refused.content.decode()
    assert not Operation.objects.exists()


def test_pool_without_three_free_addresses_is_refused(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster
) -> None:
    gateway.ip_pools.update(end="10.10.183.21")

    refused = client.post(url(gateway), headers=HTMX)

    assert refused.status_code == 409
    assert "3 are needed: 2 for nodes and 1 extra" in refused.content.decode()


@pytest.mark.parametrize("size", ["1", "3"])
def test_three_nodes_stay_three(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster, size: str
) -> None:
    PrivateCloudGateway.objects.update(size=3)

    shown = client.get(url(gateway), headers=HTMX)
    refused = client.post(url(gateway), {"size": size}, headers=HTMX)

    for response in (shown, refused):
        assert response.status_code == 409
        assert "Three nodes cannot become one" in response.content.decode()
    assert not Operation.objects.exists()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"state": GatewayState.PROVISIONING}, "only a Running gateway"),
        ({"state": GatewayState.ERROR}, "only a Running gateway"),
        ({"state": GatewayState.DELETING}, "only a Running gateway"),
    ],
)
def test_gateway_that_is_not_running_is_not_resized(
    client: Client,
    admin: User,
    gateway: PrivateCloudGateway,
    body: Cluster,
    fields: dict[str, str],
    reason: str,
) -> None:
    PrivateCloudGateway.objects.update(**fields)

    refused = client.post(url(gateway), headers=HTMX)

    assert (refused.status_code, reason in refused.content.decode()) == (409, True)


def test_resize_beside_another_operation_is_refused(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster
) -> None:
    steps = [StepSpec("s", "S", "x.y")]
    start_operation(kind=OperationKind.UPGRADE, subject=body.subject, steps=steps, by=admin)

    refused = client.get(url(gateway), headers=HTMX)

    assert (refused.status_code, "upgrade" in refused.content.decode()) == (409, True)


def test_system_gateway_has_no_size(client: Client, admin: User) -> None:
    system = ensure_system_gateway(admin.tenant)

    assert client.get(url(system), headers=HTMX).status_code == 409


def test_dialog_asks_as_often_for_many_places_as_for_one(
    client: Client,
    admin: User,
    gateway: PrivateCloudGateway,
    body: Cluster,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_max_num_queries(14) as few:
        client.get(url(gateway), headers=HTMX)
    (place,) = Placement.objects.filter(pool__cluster=body)
    for _ in range(5):
        place.pk = None
        place.save()

    with django_assert_max_num_queries(len(few)):
        assert client.get(url(gateway), headers=HTMX).status_code == 200


def test_widget_offers_it_or_says_why_not(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster
) -> None:
    offered = client.get(reverse("gateways:list")).content.decode()
    PrivateCloudGateway.objects.filter(pk=gateway.pk).update(size=3)
    refused = client.get(reverse("gateways:list")).content.decode()

    assert f'href="{url(gateway)}"' in offered
    assert f'href="{url(gateway)}"' not in refused and "Three nodes cannot become one" in refused


def test_details_offer_it_or_say_why_not(
    client: Client, admin: User, gateway: PrivateCloudGateway, body: Cluster
) -> None:
    page = reverse("clusters:detail", args=[body.pk])
    offered = client.get(page).content.decode()
    PrivateCloudGateway.objects.filter(pk=gateway.pk).update(size=3)

    assert f'href="{url(gateway)}"' in offered
    assert "Three nodes cannot become one" in client.get(page).content.decode()


def test_resize_by_support_and_by_strangers(
    client: Client, gateway: PrivateCloudGateway, body: Cluster
) -> None:
    client.force_login(make_user("sam", Role.SUPPORT))
    assert client.post(url(gateway)).status_code == 403
    client.force_login(carla())
    assert client.post(url(gateway)).status_code == 404
    assert client.delete(url(gateway)).status_code == 405
    assert not Operation.objects.exists()


@pytest.mark.parametrize("state", [GatewayState.RUNNING, GatewayState.ERROR, GatewayState.PROVISIONING])
def test_database_refuses_a_smaller_size(gateway: PrivateCloudGateway, state: GatewayState) -> None:
    PrivateCloudGateway.objects.filter(pk=gateway.pk).update(size=3, state=state)

    with pytest.raises(IntegrityError, match="gateway_does_not_shrink"), transaction.atomic():
        PrivateCloudGateway.objects.filter(pk=gateway.pk).update(size=1)


def test_database_takes_any_size_of_a_pending_gateway(gateway: PrivateCloudGateway) -> None:
    """It has no machines: the wizard chooses again."""
    PrivateCloudGateway.objects.filter(pk=gateway.pk).update(size=3, state=GatewayState.PENDING)

    PrivateCloudGateway.objects.filter(pk=gateway.pk).update(size=1, state=GatewayState.PROVISIONING)

    gateway.refresh_from_db()
    assert gateway.size == 1
