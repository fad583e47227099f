"""The Delete dialog and Remove anyway: typed name, links to what is in the way, rights."""

import pytest
from django.test import Client
from django.urls import reverse

from clusters.models import Cluster
from clusters.states import ClusterState
from gateways.live import GatewayChannel
from gateways.models import PrivateCloudGateway
from gateways.states import GatewayState
from palette_portal.orchestration.changes import Change
from palette_portal.orchestration.models import Operation, OperationKind, OperationState, StepState
from palette_portal.tenants.models import User
from palette_portal.tenants.roles import Role
from tests.engine import run_to_end
from tests.factories import (
    amelia,
    carla,
    make_cloud_account,
    make_cluster,
    make_gateway,
    make_machine,
    make_machine_pool,
    make_pool,
    make_project,
    make_user,
)

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def admin(client: Client) -> User:
    user = amelia()
    client.force_login(user)
    return user


@pytest.fixture
def cluster() -> Cluster:
    gateway = make_gateway(name="dc-east", state=GatewayState.RUNNING)
    cluster = make_cluster(gateway, state=ClusterState.RUNNING)
    make_machine(make_machine_pool(cluster), name="dc-east-cp-1")
    return cluster


def url(gateway: PrivateCloudGateway, name: str = "delete") -> str:
    return reverse(f"gateways:{name}", args=[gateway.pk])


def test_dialog_says_what_goes_and_which_machine_stays(client: Client, admin: User, cluster: Cluster) -> None:
    page = client.get(url(cluster.gateway), headers=HTMX).content.decode()

    assert "dc-east-cp-1" in page
    assert "The installer VM" in page and "10.10.0.9" in page
    assert 'data-must-equal="dc-east"' in page


def test_dialog_names_only_what_there_is(client: Client, admin: User, cluster: Cluster) -> None:
    make_pool(cluster.gateway, name="rack-7")
    make_cloud_account(cluster.gateway, name="east", is_default=True)
    new = make_gateway(registered=False)

    page = client.get(url(cluster.gateway), headers=HTMX).content.decode()
    page_of_new = client.get(url(new), headers=HTMX).content.decode()

    assert "IP pool <b>rack-7</b>" in page and "Default cloud account <b>east</b>" in page
    assert "Its tokens" in page
    assert "cloud account" not in page_of_new and "Its pairing code" in page_of_new


def test_delete_with_the_name_typed_leads_to_the_steps(client: Client, admin: User, cluster: Cluster) -> None:
    response = client.post(url(cluster.gateway), {"name": "dc-east"})

    assert response["Location"] == reverse("clusters:detail", args=[cluster.pk])
    operation = Operation.objects.get()
    assert (operation.kind, operation.requested_by) == (OperationKind.DELETE, admin)
    page = client.get("/gateways/").content.decode()
    assert "Deleting" in page and "Remove anyway" in page


def test_delete_with_another_name_is_refused(client: Client, admin: User, cluster: Cluster) -> None:
    response = client.post(url(cluster.gateway), {"name": "dc-west"}, headers=HTMX)

    assert response.status_code == 422
    assert "not the name of the gateway" in response.content.decode()
    assert not Operation.objects.exists()


def test_delete_in_use_lists_the_clusters_with_links(client: Client, admin: User, cluster: Cluster) -> None:
    shop = make_cluster(
        cluster.gateway, name="shop", project=make_project(admin.tenant), state=ClusterState.RUNNING
    )

    for response in (
        client.get(url(cluster.gateway), headers=HTMX),
        client.post(url(cluster.gateway), {"name": "dc-east"}, headers=HTMX),
    ):
        page = response.content.decode()
        assert response.status_code == 409
        assert reverse("clusters:detail", args=[shop.pk]) in page
        assert "data-must-equal" not in page and "Delete gateway</button>" not in page
    assert not Operation.objects.exists()


def test_delete_of_a_gateway_that_never_came_is_gone_from_the_list(client: Client, admin: User) -> None:
    gateway = make_gateway(registered=False)

    response = client.post(url(gateway), {"name": "New gateway"}, follow=True)

    page = response.content.decode()
    assert response.redirect_chain[-1][0] == "/gateways/"
    assert f'id="gateway-{gateway.pk}"' not in page
    assert "New gateway is deleted" in page
    assert client.get(reverse("gateways:detail", args=[gateway.pk])).status_code == 404


def test_deleted_gateway_vanishes_from_open_lists(admin: User) -> None:
    gateway = make_gateway(state=GatewayState.DELETED)
    subscription = GatewayChannel().open(admin, {}, {})

    (message,) = subscription.changed(Change(gateway.tenant_id, "gateway", gateway.pk))

    assert 'id="gateway-cards" hx-swap-oob="true"' in message.html
    assert str(gateway.pk) not in message.html


def test_deleted_gateway_vanishes_from_its_own_open_page(admin: User) -> None:
    gateway = make_gateway(state=GatewayState.DELETED)
    subscription = GatewayChannel().open(admin, {}, {"only": str(gateway.pk)})

    (message,) = subscription.changed(Change(gateway.tenant_id, "gateway", gateway.pk))

    assert message.html == f'<article id="gateway-{gateway.pk}" hx-swap-oob="delete"></article>'


def test_remove_anyway_is_offered_when_the_deletion_failed(
    client: Client, admin: User, cluster: Cluster
) -> None:
    client.post(url(cluster.gateway), {"name": "dc-east"})
    anyway = url(cluster.gateway, "remove-anyway")
    assert client.get(anyway, headers=HTMX).status_code == 409
    assert "If that cannot go on" in client.get("/gateways/").content.decode()
    operation = Operation.objects.get()
    operation.steps.filter(key="nothing-left").update(
        state=StepState.RETRYING,
        due_at=operation.created_at,
        failures=1,
        group="dc-east-cp-7",
        message="vCenter does not answer.",
    )

    dialog = client.get(anyway, headers=HTMX).content.decode()
    response = client.post(anyway, {"name": "dc-east"})

    assert '<span class="mono">dc-east-cp-7</span>: vCenter does not answer.' in dialog
    assert "dc-east-cp-1" in dialog
    assert response["Location"] == "/gateways/"
    cluster.gateway.refresh_from_db()
    assert cluster.gateway.state == GatewayState.DELETED


def test_deletion_that_is_done_is_said_on_the_details_page(
    client: Client, admin: User, cluster: Cluster
) -> None:
    client.post(url(cluster.gateway), {"name": "dc-east"})
    run_to_end(Operation.objects.get(state=OperationState.RUNNING))

    page = client.get(reverse("clusters:detail", args=[cluster.pk])).content.decode()

    assert "Remove its installer VM in vCenter" in page
    assert url(cluster.gateway) not in page


@pytest.mark.parametrize("name", ["delete", "remove-anyway"])
def test_delete_by_support_is_denied(client: Client, cluster: Cluster, name: str) -> None:
    client.force_login(make_user("sam", Role.SUPPORT))

    assert client.post(url(cluster.gateway, name), {"name": "dc-east"}).status_code == 403


@pytest.mark.parametrize("name", ["delete", "remove-anyway"])
def test_delete_by_another_tenant_is_not_found(client: Client, cluster: Cluster, name: str) -> None:
    client.force_login(carla())

    assert client.post(url(cluster.gateway, name), {"name": "dc-east"}).status_code == 404
    assert client.put(url(cluster.gateway, name)).status_code == 405
