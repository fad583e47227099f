"""A cluster with pools that scale themselves tells its load: one control plane node, every half minute."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from clusters.load import Load
from clusters.models import Cluster, ClusterLoad, Machine, PoolRole
from clusters.states import ClusterState, MachineState

# A little less than the nodes' timer, so that one of several control plane nodes tells it.
FRESH_FOR = timedelta(seconds=25)


def wants_load(machine: Machine) -> bool:
    if machine.pool.role != PoolRole.CONTROL_PLANE or machine.state != MachineState.RUNNING:
        return False
    scaling = Cluster.objects.filter(
        pk=machine.cluster_id, state=ClusterState.RUNNING, machine_pools__autoscales=True
    )
    told = Q(load=None) | Q(load__reported_at__lte=Now() - FRESH_FOR)
    return scaling.filter(told).exists()


@transaction.atomic
def record_load(*, machine: Machine, load: Load) -> None:
    """Nodes that are used less than half are noted since when, for as long as they stay so."""
    told = load.as_json()
    ClusterLoad.objects.update_or_create(
        cluster_id=machine.cluster_id,
        defaults={"reported_at": Now(), "nodes": told["nodes"], "pending": told["pending"]},
    )
    idle = [node.name for node in load.nodes if node.is_idle]
    workers = Machine.objects.filter(cluster=machine.cluster_id, pool__autoscales=True)
    workers.filter(name__in=idle, idle_since=None).update(idle_since=Now())
    workers.exclude(name__in=idle).exclude(idle_since=None).update(idle_since=None)
