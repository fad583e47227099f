"""Node pools of a running cluster: labels and taints of nodes that stay, and the end of a pool."""

from clusters.models import InstructionKind, Machine, MachinePool
from clusters.states import MachineState
from clusters.steps.instructions import instruct
from clusters.steps.work import Work, step
from palette_portal.orchestration.models import Severity
from palette_portal.orchestration.outcomes import Done, Note, Outcome


@step
def ensure_node_changed(work: Work) -> Outcome:
    """The node's labels and taints are those of its pool; the plan names what has to be taken away."""
    machine = work.machine
    outcome = instruct(
        work,
        key="change-node",
        kind=InstructionKind.CHANGE_NODE,
        arguments={
            "name": machine.name,
            "labels": work.context.arguments["labels"],
            "taints": work.context.arguments["taints"],
            "removed_taints": work.context.arguments["removed_taints"],
        },
        message=f"The labels and taints of {machine.name} are being changed.",
    )
    if outcome is not None:
        return outcome
    changed = f"{machine.name} has the labels and taints of {machine.pool.name}."
    return Done(changed, (Note(Severity.INFO, "NodeChanged", changed, "machine", machine.name),))


@step
def ensure_pool_removed(work: Work) -> Outcome:
    """Its machines are gone; what they did stays in the events."""
    pool = MachinePool.objects.filter(pk=work.context.arguments["pool"]).first()
    if pool is None:
        return Done("The node pool is removed.")
    gone = f"The node pool {pool.name} is removed."

    def write() -> None:
        Machine.objects.filter(pool=pool, state=MachineState.DELETED).delete()
        MachinePool.objects.filter(pk=pool.pk).delete()

    return Done(gone, (Note(Severity.INFO, "PoolRemoved", gone),), write)
