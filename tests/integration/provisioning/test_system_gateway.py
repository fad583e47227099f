"""A cluster that is deployed through the system gateway comes up as any other."""

from clusters.models import ClusterPurpose
from clusters.states import ClusterState
from gateways.actions.system import ensure_system_gateway
from palette_portal.orchestration.models import OperationState
from tests.factories import make_project
from tests.integration.provisioning.stage import Stage


def test_cluster_of_the_system_gateway_runs(stage: Stage) -> None:
    gateway = ensure_system_gateway(stage.gateway.tenant)
    for owned in (stage.account, stage.pool):
        owned.gateway = gateway
        owned.save()
    stage.gateway = gateway

    stage.start(nodes=1, name="direct", purpose=ClusterPurpose.TENANT, project=make_project(gateway.tenant))
    stage.finish()

    assert stage.operation.state == OperationState.SUCCEEDED, stage.describe()
    assert (stage.cluster.state, stage.cluster.gateway) == (ClusterState.RUNNING, gateway)
    stage.assert_nothing_doubled_or_leaked()
