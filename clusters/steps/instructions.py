"""A step that needs the cluster itself: it asks the control plane nodes once, and waits for their answer."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone

from clusters.actions.instructions import ask_again, ask_nodes
from clusters.models import InstructionKind, InstructionState, Machine, NodeInstruction
from clusters.steps.work import SAFETY_SECONDS, Work
from palette_portal.bootstrap.instructions import check_instruction
from palette_portal.orchestration.outcomes import Failed, Wait

UNHEARD = timedelta(minutes=2)


def instruct(
    work: Work,
    *,
    key: str,
    kind: InstructionKind,
    arguments: Mapping[str, Any],
    message: str,
    avoid: Machine | None = None,
) -> Wait | Failed | None:
    """None when a node has done it. The arguments of the first call count; see `instruction_of`."""
    instruction = instruction_of(work, key)
    if instruction is None:
        return _ask(work, key=key, kind=kind, arguments=arguments, message=message, avoid=avoid)
    match instruction.state:
        case InstructionState.DONE:
            return None
        case InstructionState.FAILED if work.context.external_ref == instruction.wake_reference:
            return _failed(work, instruction)
        case InstructionState.FAILED:
            return _wait(instruction, message, write=lambda: ask_again(instruction))
    return _wait(instruction, _while_waiting(instruction, message))


def instruction_of(work: Work, key: str) -> NodeInstruction | None:
    return NodeInstruction.objects.filter(step_id=work.context.step_id, key=key).first()


def _ask(
    work: Work,
    *,
    key: str,
    kind: InstructionKind,
    arguments: Mapping[str, Any],
    message: str,
    avoid: Machine | None,
) -> Wait:
    check_instruction(kind, arguments)
    context = work.context
    # Only while the step is ours: nobody reads what a ghost asks for.
    context.still_mine()
    instruction = ask_nodes(
        cluster=work.cluster, step_id=context.step_id, key=key, kind=kind, arguments=arguments, avoid=avoid
    )
    return _wait(instruction, message)


def _failed(work: Work, instruction: NodeInstruction) -> Failed:
    """The next attempt finds no reference, and asks anew."""
    work.context.keep_reference("")
    node = instruction.given_to.name if instruction.given_to else "A control plane node"
    lines = [line for line in instruction.message.splitlines() if line.strip()]
    reason = lines[-1] if lines else "It gave no reason."
    return Failed(
        "InstructionFailed",
        f"{instruction.get_kind_display()} failed on {node}: {reason}",
        f"Look at it with kubectl, or sign in to {node} as user spectro and read the journal of "
        "palette-instructions.service. It is tried again by itself.",
    )


def _while_waiting(instruction: NodeInstruction, message: str) -> str:
    is_unheard = timezone.now() - instruction.created_at > UNHEARD
    if instruction.state == InstructionState.OPEN and is_unheard:
        return f"{message} No control plane node has asked for it yet: check that they reach the portal."
    return message


def _wait(instruction: NodeInstruction, message: str, *, write: Any = None) -> Wait:
    reference = instruction.wake_reference
    return Wait(SAFETY_SECONDS, message, "WaitingForCluster", external_ref=reference, write=write)
