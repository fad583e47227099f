"""What the wizard asks for is what provisioning can do: from the first page to a cluster that runs."""

from contextlib import ExitStack

from clusters.models import Cluster
from clusters.states import ClusterState
from ippools.models import IPAddressClaim
from palette_portal.orchestration.models import Operation, OperationKind
from tests.integration.deploy.test_review import export
from tests.integration.deploy.walk import DeployWalk
from tests.integration.provisioning.stage import make_stage
from tests.lab.api import VSphere


def test_deployed_cluster_runs_as_the_review_said(walk: DeployWalk, vcenter: VSphere) -> None:
    walk.lab.set_durations(clone_seconds=0.05, power_on_seconds=0.02)
    walk.to_pools(own_folder="on")
    walk.accept("pools", walk.pools())
    planned = export(walk)["planned"]
    walk.confirm()

    with ExitStack() as closing:
        stage = make_stage(walk.lab, vcenter, closing)
        stage.cluster, stage.operation = (
            Cluster.objects.get(),
            Operation.objects.exclude(kind=OperationKind.CHECK).get(),
        )
        stage.finish()

    assert stage.cluster.state == ClusterState.RUNNING, stage.describe()
    assert stage.cluster.endpoint_host == planned["endpoint"]
    held = dict(IPAddressClaim.objects.held().filter(purpose="node").values_list("owner_name", "address"))
    assert held == {machine["name"]: machine["address"] for machine in planned["machines"]}
    assert {machine["name"] for machine in planned["machines"]} <= set(vcenter.machines())
