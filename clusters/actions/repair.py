"""Clusters that repair themselves, where that is allowed: a worker that stays broken is replaced."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from clusters.actions.changing import lock_for_change, note_in_audit
from clusters.actions.renewal import replace_machine
from clusters.models import Cluster, Machine, PoolRole
from clusters.states import ClusterHealth, ClusterState, MachineState
from palette_portal.http import Conflict
from palette_portal.orchestration.actions import announce_subject, record_event
from palette_portal.orchestration.models import Event, Operation, Severity
from palette_portal.tenants.models import User

# A node that comes back soon need not go, and a repair that failed is not tried at once.
PATIENCE = timedelta(minutes=10)


@transaction.atomic
def set_repair(*, cluster: Cluster, is_on: bool, by: User) -> None:
    cluster = lock_for_change(cluster, by=by)
    Cluster.objects.filter(pk=cluster.pk).update(repairs_itself=is_on)
    announce_subject(cluster.subject)
    note_in_audit(cluster, action="repair nodes by itself", by=by, on=is_on)


def repair_clusters() -> None:
    """Called by a schedule."""
    broken = Cluster.objects.filter(
        state=ClusterState.RUNNING, health=ClusterHealth.UNHEALTHY, repairs_itself=True
    )
    for cluster in broken:
        if not Operation.objects.of(cluster.subject).active().exists() and not _just_repaired(cluster):
            _repair(cluster)


def _just_repaired(cluster: Cluster) -> bool:
    since = timezone.now() - PATIENCE
    told = Event.objects.of(cluster.subject).filter(reason__in=["Repairing", "RepairBlocked"])
    return told.filter(at__gt=since).exists()


def _repair(cluster: Cluster) -> None:
    machine = _longest_broken(cluster)
    if machine is None:
        return
    try:
        with transaction.atomic():
            operation = replace_machine(machine=machine, by=None)
            _tell(
                machine,
                Severity.INFO,
                "Repairing",
                f"{machine.name} is replaced, as it stays broken.",
                operation,
            )
    except Conflict as refused:
        message = f"{machine.name} cannot be replaced: {refused.reason}"
        _tell(machine, Severity.WARNING, "RepairBlocked", message, None)


def _longest_broken(cluster: Cluster) -> Machine | None:
    """A worker; masters are replaced by people."""
    workers = Machine.objects.filter(
        cluster=cluster, pool__role=PoolRole.WORKER, state=MachineState.RUNNING
    ).select_related("pool", "cluster")
    broken = workers.filter(troubled_since__lt=timezone.now() - PATIENCE).order_by("troubled_since")
    return broken.first()


def _tell(
    machine: Machine, severity: Severity, reason: str, message: str, operation: Operation | None
) -> None:
    record_event(
        subject=machine.cluster.subject,
        severity=severity,
        reason=reason,
        message=message,
        object_kind="machine",
        object_name=machine.name,
        operation=operation,
    )
