"""The gateway's own last steps: not yet, true now, run twice, overtaken."""

from uuid import uuid4

import pytest

from clusters.models import Cluster, Machine
from clusters.states import ClusterState
from gateways.models import PrivateCloudGateway
from gateways.states import GatewayState
from gateways.steps import ensure_gateway_health_registered, ensure_gateway_running
from palette_portal.orchestration.outcomes import Done, Outcome, Wait
from palette_portal.orchestration.steps import StepContext
from tests.factories import make_cluster, make_gateway, make_machine_pool

pytestmark = pytest.mark.django_db


class Held:
    def confirm(self) -> None: ...

    def keep_reference(self, external_ref: str) -> None: ...


def context_of(cluster: Cluster) -> StepContext:
    return StepContext(
        step_id=uuid4(),
        operation_id=uuid4(),
        operation_kind="provision",
        subject=cluster.subject,
        key="step",
        arguments={},
        attempt=1,
        external_ref="",
        hold=Held(),
    )


@pytest.fixture
def cluster() -> Cluster:
    return make_cluster(make_gateway(state=GatewayState.PROVISIONING), state=ClusterState.PROVISIONING)


def add_machine(cluster: Cluster, index: int, phase: str) -> Machine:
    pool = cluster.machine_pools.first() or make_machine_pool(cluster, size=3)
    placement = pool.placements.get()
    name = f"{cluster.name}-cp-{index}"
    return Machine.objects.create(
        cluster=cluster, pool=pool, placement=placement, index=index, name=name, phase=phase
    )


def record(outcome: Outcome) -> Done:
    assert isinstance(outcome, Done)
    assert outcome.write
    outcome.write()
    return outcome


def test_health_waits_for_nodes_that_have_not_reported(cluster: Cluster) -> None:
    add_machine(cluster, 1, "ready")
    silent = add_machine(cluster, 2, "joined")

    outcome = ensure_gateway_health_registered(context_of(cluster))

    assert isinstance(outcome, Wait)
    assert outcome.message == f"Waiting for a report from {silent.name}."
    assert outcome.external_ref == cluster.wake_reference


def test_health_is_registered_once_all_nodes_reported(cluster: Cluster) -> None:
    add_machine(cluster, 1, "ready")

    outcome = record(ensure_gateway_health_registered(context_of(cluster)))

    cluster.refresh_from_db()
    assert cluster.health == "Healthy"
    assert outcome.message == "1 of 1 nodes report that they are healthy."


def test_running_says_that_the_installer_can_go(cluster: Cluster) -> None:
    outcome = record(ensure_gateway_running(context_of(cluster)))

    cluster.gateway.refresh_from_db()
    assert cluster.gateway.state == GatewayState.RUNNING
    assert "can be powered off" in outcome.notes[0].message


def test_running_twice_keeps_the_first_time(cluster: Cluster) -> None:
    record(ensure_gateway_running(context_of(cluster)))
    first = PrivateCloudGateway.objects.get(pk=cluster.gateway_id).running_at
    assert first is not None

    record(ensure_gateway_running(context_of(cluster)))

    assert PrivateCloudGateway.objects.get(pk=cluster.gateway_id).running_at == first


def test_running_does_not_bring_back_a_gateway_that_is_being_deleted(cluster: Cluster) -> None:
    PrivateCloudGateway.objects.filter(pk=cluster.gateway_id).update(state=GatewayState.DELETING)

    record(ensure_gateway_running(context_of(cluster)))

    assert PrivateCloudGateway.objects.get(pk=cluster.gateway_id).state == GatewayState.DELETING
