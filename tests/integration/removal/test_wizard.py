"""After a reset the Configure wizard opens with the last values, and a second Confirm provisions."""

from django.test import Client
from django.urls import reverse

from clusters.models import Cluster
from clusters.states import ClusterState
from gateways.models import CloudAccount
from gateways.states import GatewayState
from ippools.models import IPPool
from palette_portal.orchestration.models import Operation, OperationState
from tests.engine import run_to_end
from tests.integration.gateways.configure.conftest import _no_session_left, walk  # noqa: F401
from tests.integration.gateways.configure.walk import Walk, text_of


def reset_at_once(walk: Walk) -> None:  # noqa: F811
    """While vCenter refuses the account, so that nothing has been made."""
    CloudAccount.objects.update(password="wrong")
    answer = walk.client.post(reverse("gateways:reset", args=[walk.gateway.pk]))
    assert answer.status_code == 302
    run_to_end(Operation.objects.get(state=OperationState.RUNNING))


def test_wizard_after_a_reset_asks_for_the_password_only(walk: Walk) -> None:  # noqa: F811
    walk.to_summary(nodes="3")
    walk.confirm()

    reset_at_once(walk)

    walk.gateway.refresh_from_db()
    assert walk.gateway.state == GatewayState.PENDING
    assert walk.confirm().status_code == 422
    page = text_of(walk.get("vcenter"))
    assert walk.lab.username in page and walk.lab.password not in page
    assert "Enter the password of the vCenter account again" in page
    walk.accept("vcenter", walk.vcenter())
    confirmed = walk.confirm()
    assert confirmed.status_code == 302, text_of(confirmed)
    second = Cluster.objects.gateway_bodies().get()
    assert second.state == ClusterState.PROVISIONING
    assert second.machine_pools.get().size == 3
    assert second.machine_pools.get().ip_pool == IPPool.objects.get()
    assert CloudAccount.objects.get().password == walk.lab.password


def test_gateway_page_after_a_reset_offers_the_wizard(walk: Walk) -> None:  # noqa: F811
    walk.to_summary()
    walk.confirm()

    reset_at_once(walk)

    client: Client = walk.client
    page = text_of(client.get(reverse("gateways:detail", args=[walk.gateway.pk])))
    assert reverse("gateways:configure", args=[walk.gateway.pk]) in page
