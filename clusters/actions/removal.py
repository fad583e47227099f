"""Take a cluster away: whatever runs for it is cancelled, and an operation removes all that exists."""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from clusters.models import Cluster, ClusterSecrets, Machine
from clusters.removal import removal_plan
from clusters.states import ClusterHealth, ClusterState, MachineState, move_cluster, move_machine
from ippools.actions import release_addresses
from palette_portal.orchestration.actions import cancel_operation, numbered_last, start_operation
from palette_portal.orchestration.models import Operation, OperationKind
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants.models import User


@transaction.atomic
def remove_cluster(
    *, cluster: Cluster, kind: OperationKind, extra_steps: Sequence[StepSpec] = (), by: User | None
) -> Operation:
    """Also when a removal is under way: the new one starts over and finds what is left.

    The caller writes the audit row: it knows the wish behind it.
    """
    machines = _leave(cluster)
    with numbered_last():
        for active in Operation.objects.of(cluster.subject).active():
            cancel_operation(active, by=by)
        steps = removal_plan(machines, extra_steps=extra_steps)
        return start_operation(kind=kind, subject=cluster.subject, steps=steps, by=by)


@transaction.atomic
def forget_cluster(*, cluster: Cluster, by: User | None) -> list[Machine]:
    """Give up on vCenter: the cluster is Deleted here. Return the machines that may still exist there.

    A step that a worker still does changes nothing any more: its rows are where it would bring them.
    """
    machines = _leave(cluster)
    with numbered_last():
        for active in Operation.objects.of(cluster.subject).active():
            cancel_operation(active, by=by)
    for machine in machines:
        move_machine(machine, MachineState.DELETED)
    release_addresses(cluster_id=cluster.pk)
    ClusterSecrets.objects.filter(cluster=cluster).delete()
    move_cluster(cluster, ClusterState.DELETED, deleted_at=timezone.now())
    return machines


def _leave(cluster: Cluster) -> list[Machine]:
    """Lock the cluster and its machines, all Deleting now."""
    cluster.refresh_from_db(from_queryset=Cluster.objects.select_for_update())
    if cluster.state != ClusterState.DELETING:
        move_cluster(cluster, ClusterState.DELETING, health=ClusterHealth.UNKNOWN)
    machines = list(Machine.objects.present().filter(cluster=cluster).select_for_update(of=("self",)))
    for machine in machines:
        if machine.state != MachineState.DELETING:
            move_machine(machine, MachineState.DELETING)
    return machines
