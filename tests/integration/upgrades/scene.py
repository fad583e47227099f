"""A gateway that runs on the lab's vCenter with release 1.0.0, and release 1.1.0 is published."""

from typing import Any

from clusters.models import Cluster, Machine
from clusters.states import ClusterState, MachineState
from gateways.actions.upgrade import roll_back_gateway, upgrade_gateway
from gateways.models import GatewayRelease, PrivateCloudGateway
from gateways.states import GatewayState
from palette_portal.orchestration.models import Operation, OperationState
from palette_portal.tenants.models import User
from tests.factories import make_cluster, make_project, make_release
from tests.integration.changes.scene import run_cluster
from tests.integration.provisioning.stage import Stage

OLD_IMAGE, NEW_IMAGE = "r_u-2204-0-k-1312-0", "r_u-2204-0-k-1323-0"


def publish(version: str = "1.1.0", **changed: Any) -> GatewayRelease:
    values = {
        "kubernetes_version": "1.32.3",
        "image_template": NEW_IMAGE,
        "notes": "A newer kernel.\n\nKubernetes 1.32.",
        **changed,
    }
    return GatewayRelease.objects.get_or_create(version=version, defaults=values)[0]


def run_gateway(stage: Stage, *, nodes: int = 1, **newer: Any) -> GatewayRelease:
    """Return the release that it can be upgraded to."""
    run_cluster(stage, masters=nodes)
    facts = {"state": GatewayState.RUNNING, "size": nodes, "release": make_release("1.0.0")}
    PrivateCloudGateway.objects.filter(pk=stage.gateway.pk).update(**facts)
    stage.gateway.refresh_from_db()
    return publish(**newer)


def upgrade(stage: Stage, by: User, to: str = "1.1.0") -> Operation:
    upgrade_gateway(gateway=stage.gateway, to=to, by=by)
    return follow(stage)


def roll_back(stage: Stage, by: User) -> Operation:
    roll_back_gateway(gateway=stage.gateway, by=by)
    return follow(stage)


def follow(stage: Stage) -> Operation:
    stage.operation = Operation.objects.of(stage.cluster.subject).active().get()
    return stage.operation


def finish(stage: Stage) -> int:
    """To the end; return the fewest nodes that were ready at any moment."""
    fewest = [99]

    def has_ended() -> bool:
        fewest.append(ready_nodes(stage))
        return stage.has_ended()

    stage.go_on_until(has_ended)
    assert stage.operation.state == OperationState.SUCCEEDED, stage.describe()
    stage.gateway.refresh_from_db()
    stage.cluster.refresh_from_db()
    stage.assert_nothing_doubled_or_leaked()
    return min(fewest)


def ready_nodes(stage: Stage) -> int:
    return Machine.objects.filter(cluster=stage.cluster, state=MachineState.RUNNING).count()


def images(stage: Stage) -> list[str]:
    present = Machine.objects.present().filter(cluster=stage.cluster).order_by("index")
    return list(present.values_list("image_template", flat=True))


def tenant_cluster(stage: Stage, name: str, state: ClusterState = ClusterState.RUNNING) -> Cluster:
    return make_cluster(
        stage.gateway,
        name=name,
        project=make_project(stage.gateway.tenant),
        cloud_account=stage.account,
        state=state,
    )
