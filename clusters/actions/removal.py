"""Take a cluster away: whatever runs for it is cancelled, and an operation removes all that exists."""

from collections.abc import Sequence

from django.db import transaction

from clusters.models import Cluster, Machine
from clusters.removal import removal_plan
from clusters.states import ClusterHealth, ClusterState, MachineState, move_cluster, move_machine
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
    cluster = Cluster.objects.select_for_update(of=("self",)).get(pk=cluster.pk)
    if cluster.state != ClusterState.DELETING:
        move_cluster(cluster, ClusterState.DELETING, health=ClusterHealth.UNKNOWN)
    machines = list(Machine.objects.present().filter(cluster=cluster).select_for_update(of=("self",)))
    for machine in machines:
        if machine.state != MachineState.DELETING:
            move_machine(machine, MachineState.DELETING)
    with numbered_last():
        for active in Operation.objects.of(cluster.subject).active():
            cancel_operation(active, by=by)
        steps = removal_plan(machines, extra_steps=extra_steps)
        return start_operation(kind=kind, subject=cluster.subject, steps=steps, by=by)
