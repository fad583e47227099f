"""A tenant cluster on the lab's vCenter, to be deleted, aborted and forced."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from clusters.models import Cluster, ClusterPurpose, PoolRole
from clusters.states import ClusterState
from gateways.models import PrivateCloudGateway
from gateways.states import GatewayState
from tests.factories import make_project
from tests.integration.provisioning.stage import Stage


def provision(stage: Stage, *, workers: int = 0, **changes: Any) -> None:
    """A small cluster of the project payments; nothing has run yet."""
    PrivateCloudGateway.objects.filter(pk=stage.gateway.pk).update(state=GatewayState.RUNNING)
    masters = stage.request(1).pools[0]
    pools = [masters]
    if workers:
        pools.append(replace(masters, name="worker-pool", role=PoolRole.WORKER, size=workers))
    values = {
        "name": "shop",
        "purpose": ClusterPurpose.TENANT,
        "project": make_project(stage.gateway.tenant),
        "pools": tuple(pools),
        **changes,
    }
    stage.start(**values)


def run(stage: Stage, **changes: Any) -> None:
    provision(stage, **changes)
    stage.finish()
    assert stage.cluster.state == ClusterState.RUNNING, stage.describe()


def age(cluster: Cluster, *, minutes: float) -> None:
    """As if the deletion had begun so long ago, by the database's clock."""
    Cluster.objects.filter(pk=cluster.pk).update(deleting_at=Now() - timedelta(minutes=minutes))
