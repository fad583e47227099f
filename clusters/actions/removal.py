"""Take a cluster away: whatever runs for it is cancelled, and an operation removes all that exists."""

from collections.abc import Callable, Sequence
from functools import partial

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from clusters.actions.secrets import forget_secrets
from clusters.models import Cluster, Machine
from clusters.removal import removal_plan
from clusters.states import ClusterHealth, ClusterState, MachineState, move_cluster, move_machine
from ippools.actions import release_addresses
from palette_portal.orchestration.actions import cancel_operation, numbered_last, start_operation
from palette_portal.orchestration.models import Operation, OperationKind
from palette_portal.orchestration.steps import StepSpec
from palette_portal.tenants.models import User

Plan = Callable[[Cluster, Sequence[Machine]], list[StepSpec]]


@transaction.atomic
def remove_cluster(
    *, cluster: Cluster, kind: OperationKind, extra_steps: Sequence[StepSpec] = (), by: User | None
) -> Operation:
    """Also when a removal is under way: the new one starts over and finds what is left.

    The caller writes the audit row: it knows the wish behind it.
    """
    return start_leaving(
        cluster=cluster, kind=kind, plan=partial(removal_plan, extra_steps=extra_steps), by=by
    )


@transaction.atomic
def start_leaving(*, cluster: Cluster, kind: OperationKind, plan: Plan, by: User | None) -> Operation:
    machines = _leave(cluster)
    with numbered_last():
        for active in Operation.objects.of(cluster.subject).active():
            cancel_operation(active, by=by)
        return start_operation(kind=kind, subject=cluster.subject, steps=plan(cluster, machines), by=by)


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
    forget_secrets(cluster)
    move_cluster(cluster, ClusterState.DELETED, deleted_at=timezone.now())
    return machines


def _leave(cluster: Cluster) -> list[Machine]:
    """Lock the cluster and its machines, all Deleting now: since when, the database's clock says."""
    cluster.refresh_from_db(from_queryset=Cluster.objects.select_for_update())
    if cluster.state != ClusterState.DELETING:
        move_cluster(cluster, ClusterState.DELETING, health=ClusterHealth.UNKNOWN, deleting_at=Now())
        cluster.refresh_from_db(fields=["deleting_at"])
    machines = list(Machine.objects.present().filter(cluster=cluster).select_for_update(of=("self",)))
    for machine in machines:
        if machine.state != MachineState.DELETING:
            move_machine(machine, MachineState.DELETING)
    return machines
