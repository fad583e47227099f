"""The Reset dialog: for whom, in which state, in the page and without JavaScript."""

import pytest
from django.test import Client
from django.urls import reverse

from clusters.models import Cluster, Machine
from clusters.states import ClusterState
from gateways.models import PrivateCloudGateway
from gateways.states import GatewayState
from palette_portal.orchestration.actions import start_operation
from palette_portal.orchestration.models import Operation, OperationKind, OperationState
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants.models import User
from palette_portal.tenants.roles import Role
from tests.engine import run_to_end
from tests.factories import amelia, carla, make_cluster, make_gateway, make_machine_pool, make_user

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def admin(client: Client) -> User:
    user = amelia()
    client.force_login(user)
    return user


@pytest.fixture
def cluster() -> Cluster:
    gateway = make_gateway(name="dc-east", state=GatewayState.PROVISIONING)
    cluster = make_cluster(gateway, state=ClusterState.PROVISIONING)
    pool = make_machine_pool(cluster)
    Machine.objects.create(
        cluster=cluster, pool=pool, placement=pool.placements.get(), index=1, name="dc-east-cp-1"
    )
    return cluster


def url(gateway: PrivateCloudGateway) -> str:
    return reverse("gateways:reset", args=[gateway.pk])


def test_dialog_says_what_goes_and_what_stays(client: Client, admin: User, cluster: Cluster) -> None:
    page = client.get(url(cluster.gateway), headers=HTMX).content.decode()

    assert page.lstrip().startswith("<dialog")
    assert "Reset dc-east?" in page and "dc-east-cp-1" in page
    assert "installer stays registered" in page and "password" in page


def test_page_without_javascript_has_the_same_form(client: Client, admin: User, cluster: Cluster) -> None:
    page = client.get(url(cluster.gateway)).content.decode()

    assert "<html" in page and "dc-east-cp-1" in page
    assert f'action="{url(cluster.gateway)}"' in page


def test_reset_starts_and_leads_to_its_steps(client: Client, admin: User, cluster: Cluster) -> None:
    response = client.post(url(cluster.gateway))

    assert response.status_code == 302
    assert response["Location"] == reverse("clusters:detail", args=[cluster.pk])
    operation = Operation.objects.get(state=OperationState.RUNNING)
    assert (operation.kind, operation.requested_by) == (OperationKind.RESET, admin)
    page = client.get(response["Location"]).content.decode()
    assert "Remove virtual machine" in page and "dc-east-cp-1" in page


def test_reset_from_the_dialog_leads_there_too(client: Client, admin: User, cluster: Cluster) -> None:
    response = client.post(url(cluster.gateway), headers=HTMX)

    assert response["HX-Redirect"] == reverse("clusters:detail", args=[cluster.pk])


def test_reset_that_is_done_leads_back_to_the_wizard(client: Client, admin: User, cluster: Cluster) -> None:
    client.post(url(cluster.gateway))
    run_to_end(Operation.objects.get(state=OperationState.RUNNING))

    page = client.get(reverse("clusters:detail", args=[cluster.pk])).content.decode()
    gateways = client.get("/gateways/").content.decode()

    configure = reverse("gateways:configure", args=[cluster.gateway_id])
    assert configure in page and configure in gateways


def test_second_reset_is_refused_in_the_dialog(client: Client, admin: User, cluster: Cluster) -> None:
    client.post(url(cluster.gateway))

    response = client.post(url(cluster.gateway), headers=HTMX)

    assert response.status_code == 409
    page = response.content.decode()
    assert page.lstrip().startswith("<dialog") and "being reset already" in page
    assert "Reset gateway</button>" not in page
    assert Operation.objects.filter(kind=OperationKind.RESET).count() == 1


@pytest.mark.parametrize("method", ["get", "post"])
def test_reset_of_a_running_gateway_is_refused_with_the_reason(
    client: Client, admin: User, method: str
) -> None:
    gateway = make_gateway(state=GatewayState.RUNNING)

    response = getattr(client, method)(url(gateway))

    assert response.status_code == 409
    assert "Reset takes back a provisioning" in response.content.decode()


def test_menu_of_the_widget_shows_the_reason(client: Client, admin: User) -> None:
    make_gateway(state=GatewayState.RUNNING)

    page = client.get("/gateways/").content.decode()

    assert "Reset takes back a provisioning that is not finished" in page


def test_widget_shows_the_reset_under_way(client: Client, admin: User, cluster: Cluster) -> None:
    client.post(url(cluster.gateway))

    page = client.get("/gateways/").content.decode()

    assert "Reset: Stop what is running" in page


def test_reset_by_support_is_denied(client: Client, cluster: Cluster) -> None:
    client.force_login(make_user("sam", Role.SUPPORT))

    assert client.post(url(cluster.gateway)).status_code == 403
    assert client.get(url(cluster.gateway)).status_code == 403
    assert not Operation.objects.exists()


def test_reset_by_another_tenant_is_not_found(client: Client, cluster: Cluster) -> None:
    client.force_login(carla())

    assert client.post(url(cluster.gateway)).status_code == 404


def test_reset_without_login_leads_to_sign_in(client: Client, cluster: Cluster) -> None:
    assert "/account/login/" in client.post(url(cluster.gateway))["Location"]


def test_reset_by_put_is_refused(client: Client, admin: User, cluster: Cluster) -> None:
    assert client.put(url(cluster.gateway)).status_code == 405


def test_widget_of_a_running_gateway_leaves_the_last_steps_out(
    client: Client, admin: User, cluster: Cluster
) -> None:
    step = StepSpec("blanked", "Remove secrets from vCenter", "tests.never.run")
    start_operation(kind=OperationKind.PROVISION, subject=cluster.subject, steps=[step], by=admin)
    assert "Remove secrets" in client.get("/gateways/").content.decode()

    PrivateCloudGateway.objects.update(state=GatewayState.RUNNING)

    page = client.get("/gateways/").content.decode()
    assert "Remove secrets" not in page and "Ready to deploy clusters" in page
