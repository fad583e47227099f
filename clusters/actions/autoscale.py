"""Pools that scale themselves: what a cluster reports becomes a decision, told with its reason."""

from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from clusters.actions.pools import resize_pool
from clusters.autoscaling import Decision, ScalingPool, decide
from clusters.load import Load, Need, NodeLoad
from clusters.models import Cluster, ClusterLoad, Machine, MachinePool
from clusters.states import ClusterState, MachineState
from palette_portal.http import Conflict
from palette_portal.orchestration.actions import record_event
from palette_portal.orchestration.models import Operation, Severity

# An older report says nothing about now.
STALE_AFTER = timedelta(minutes=2)


def scale_clusters() -> None:
    """Called by a schedule."""
    running = Cluster.objects.filter(state=ClusterState.RUNNING, machine_pools__autoscales=True).distinct()
    fresh = running.filter(load__reported_at__gt=timezone.now() - STALE_AFTER)
    for cluster in fresh.select_related("load"):
        if not Operation.objects.of(cluster.subject).active().exists():
            scale_cluster(cluster)


def scale_cluster(cluster: Cluster) -> Decision | None:
    """One decision; the next is made on a report that shows what came of it."""
    load = _load(cluster)
    pools = list(cluster.machine_pools.all())
    decision = decide(
        [_scaling(pool, load) for pool in pools if pool.autoscales],
        pending=load.pending,
        others=_others(cluster, load),
        now=timezone.now(),
    )
    if decision is not None:
        _carry_out(next(pool for pool in pools if pool.name == decision.pool), decision)
    return decision


def _load(cluster: Cluster) -> Load:
    row = ClusterLoad.objects.get(cluster=cluster)
    return Load.from_json(row.nodes, row.pending)


def _scaling(pool: MachinePool, load: Load) -> ScalingPool:
    machines = list(pool.machines.filter(state=MachineState.RUNNING))
    names = {machine.name for machine in machines}
    return ScalingPool(
        name=pool.name,
        minimum=pool.minimum_size or 1,
        maximum=pool.maximum_size or pool.size,
        size=pool.size,
        capacity=Need(pool.num_cpus * 1000, pool.memory_mib),
        nodes=tuple(node for node in load.nodes if node.name in names),
        idle_since={machine.name: machine.idle_since for machine in machines if machine.idle_since},
        scaled_at=pool.scaled_at,
    )


def _others(cluster: Cluster, load: Load) -> list[NodeLoad]:
    """Nodes that keep their size and take pods that tolerate nothing."""
    fixed = cluster.machine_pools.filter(autoscales=False, takes_workloads=True, taints=[])
    names = set(Machine.objects.present().filter(pool__in=fixed).values_list("name", flat=True))
    return [node for node in load.nodes if node.name in names]


def _carry_out(pool: MachinePool, decision: Decision) -> None:
    """What stands in the way is told, and tried again after the pause."""
    leaving = Machine.objects.filter(pool=pool, name=decision.node, state=MachineState.RUNNING)
    try:
        with transaction.atomic():
            MachinePool.objects.filter(pk=pool.pk).update(scaled_at=Now())
            operation = resize_pool(
                pool=pool,
                size=decision.size,
                by=None,
                leaving=list(leaving.select_related("pool", "cluster")),
            )
            _tell(pool, Severity.INFO, "Autoscaled", _sentence(pool, decision), operation)
    except Conflict as refused:
        _refuse(pool, decision, refused)


def _sentence(pool: MachinePool, decision: Decision) -> str:
    return f"{pool.name} goes from {pool.size} to {decision.size} nodes. {decision.reason}"


@transaction.atomic
def _refuse(pool: MachinePool, decision: Decision, refused: Conflict) -> None:
    MachinePool.objects.filter(pk=pool.pk).update(scaled_at=Now())
    message = (
        f"{pool.name} should have {decision.size} nodes ({decision.reason}) but cannot: {refused.reason}"
    )
    _tell(pool, Severity.WARNING, "AutoscalerBlocked", message, None)


def _tell(
    pool: MachinePool, severity: Severity, reason: str, message: str, operation: Operation | None
) -> None:
    record_event(
        subject=pool.cluster.subject,
        severity=severity,
        reason=reason,
        message=message,
        object_kind="pool",
        object_name=pool.name,
        operation=operation,
    )
