"""What the cluster itself has to do, from a step's wish to a node's answer.

One control plane node at a time has an instruction, with a lease on the database's clock: of a node that dies
with one, another takes it over. What a cancelled operation asked for is given to nobody any more.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from clusters.models import Cluster, InstructionKind, InstructionState, Machine, NodeInstruction, PoolRole
from clusters.phases import has_reached
from clusters.states import MachineState
from palette_portal.bootstrap.instructions import check_instruction
from palette_portal.orchestration.actions import ring
from palette_portal.orchestration.models import OperationState, Step

# Longer than a node may take for the longest of them, to drain another one.
LEASE = timedelta(minutes=8)
LONGEST_MESSAGE = 2000
# How long it can be seen that there was one.
REMEMBERED = timedelta(days=90)


def ask_nodes(
    *,
    cluster: Cluster,
    step_id: UUID,
    key: str,
    kind: InstructionKind,
    arguments: Mapping[str, Any],
    avoid: Machine | None = None,
) -> NodeInstruction:
    """Once per step and key, whatever is asked later. Raise BootstrapError when a node could not use it."""
    check_instruction(kind, arguments)
    values = {"cluster": cluster, "kind": kind, "arguments": json.dumps(dict(arguments)), "avoid": avoid}
    return NodeInstruction.objects.get_or_create(step_id=step_id, key=key, defaults=values)[0]


def ask_again(instruction: NodeInstruction) -> None:
    """After a failure: whoever comes first tries."""
    failed = NodeInstruction.objects.filter(pk=instruction.pk, state=InstructionState.FAILED)
    failed.update(state=InstructionState.OPEN, given_to=None, given_until=None, finished_at=None, message="")


def arguments_of(instruction: NodeInstruction) -> dict[str, Any]:
    arguments: dict[str, Any] = json.loads(instruction.arguments)
    return arguments


@transaction.atomic
def next_instruction(machine: Machine) -> NodeInstruction | None:
    """The oldest one that this node may do; the same again until it has said how it went."""
    if not _takes_instructions(machine):
        return None
    _withdraw(cluster_id=machine.cluster_id)
    free = Q(state=InstructionState.OPEN) | Q(given_to=machine) | Q(given_until__lte=Now())
    rows = NodeInstruction.objects.outstanding().filter(free, cluster=machine.cluster_id)
    rows = rows.exclude(avoid=machine).order_by("created_at", "pk")
    found = rows.select_for_update(of=("self",), skip_locked=True).first()
    if found is not None:
        given = {"state": InstructionState.GIVEN, "given_to": machine, "given_until": Now() + LEASE}
        NodeInstruction.objects.filter(pk=found.pk).update(**given)
    return found


@transaction.atomic
def finish_instruction(*, machine: Machine, instruction_id: UUID, is_done: bool, message: str) -> None:
    """Raise NodeInstruction.DoesNotExist when the node's cluster has no such instruction.

    Late answers: what is done stays done, whoever did it; a failure counts from the last holder only.
    """
    rows = NodeInstruction.objects.filter(cluster=machine.cluster_id)
    # Before the row's lock: the engine, too, locks what is waited for before it writes our rows.
    ring(rows.get(pk=instruction_id).wake_reference)
    instruction = rows.select_for_update(of=("self",)).get(pk=instruction_id)
    is_holder = instruction.state == InstructionState.GIVEN and instruction.given_to_id == machine.pk
    if not is_holder and not (is_done and instruction.state in _UNSETTLED):
        return
    instruction.state = InstructionState.DONE if is_done else InstructionState.FAILED
    instruction.message = message[-LONGEST_MESSAGE:]
    instruction.finished_at = Now()
    instruction.save(update_fields=["state", "message", "finished_at"])


_UNSETTLED = (InstructionState.OPEN, InstructionState.GIVEN, InstructionState.FAILED)


def _takes_instructions(machine: Machine) -> bool:
    is_master = machine.pool.role == PoolRole.CONTROL_PLANE
    is_leaving = machine.state in (MachineState.DELETING, MachineState.DELETED)
    return is_master and not is_leaving and has_reached(machine, "ready")


def forget_instructions() -> None:
    """Called by a schedule. What nodes were told, tokens among it, is not kept when no step asks for it.

    Kind, outcome and times stay for a while.
    """
    _withdraw()
    ended = NodeInstruction.objects.filter(~Exists(_ASKING), finished_at__isnull=False)
    ended.exclude(arguments="", message="").update(arguments="", message="")
    ended.filter(finished_at__lt=Now() - REMEMBERED).delete()


# A step looks for its instruction while its operation runs, however long ago that was done.
_ASKING = Step.objects.filter(pk=OuterRef("step_id"), operation__state=OperationState.RUNNING)


def _withdraw(**of: UUID) -> None:
    orphans = NodeInstruction.objects.outstanding().filter(~Exists(_ASKING), **of)
    orphans.update(state=InstructionState.WITHDRAWN, finished_at=Now())
