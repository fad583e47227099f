"""Writes what a step returned. Every function here runs inside the engine's transaction."""

from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import F
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from palette_portal.orchestration.actions import (
    add_steps,
    announce_subject,
    go_on,
    lock_reference,
)
from palette_portal.orchestration.changes import Change, announce
from palette_portal.orchestration.claims import Claim
from palette_portal.orchestration.doorbell import tell_dispatcher
from palette_portal.orchestration.events import numbered_last, record_event
from palette_portal.orchestration.graph import check_graph
from palette_portal.orchestration.models import Operation, OperationState, Severity, Step, StepState
from palette_portal.orchestration.outcomes import Done, Failed, Note, Outcome, Retry, Wait

# A ring counts as missed when its transaction was not finished as our claim began.
_MISSED = """
    SELECT transaction::xid8 <> pg_current_xact_id() AND NOT pg_visible_in_snapshot(transaction::xid8, %s)
        OR rung_at > (SELECT started_at FROM orchestration_step WHERE id = %s)
    FROM orchestration_ring WHERE external_ref = %s
"""


def record_outcome(step: Step, claim: Claim, outcome: Outcome) -> None:
    """Fence first: with the claim lost nothing happens. The operation's lock comes after the app's rows."""
    with numbered_last():
        claim.write(**_columns(outcome, step, claim), lease_until=None, owner="", crashes=0)
        if outcome.write:
            outcome.write()
        operation = Operation.objects.select_for_update(no_key=True).get(pk=step.operation_id)
        if operation.state == OperationState.CANCELLED and not isinstance(outcome, Done):
            cancelled = {"state": StepState.CANCELLED, "due_at": None, "finished_at": Now()}
            Step.objects.filter(pk=step.pk).update(**cancelled)
        announce(_change(operation, step))
        _record_notes(step, operation, outcome)
        if isinstance(outcome, Done):
            _go_on(operation, outcome)
        else:
            tell_dispatcher()


def record_crash(step: Step) -> None:
    record_event(
        subject=step.operation.subject,
        severity=Severity.WARNING,
        reason="WorkerLost",
        message=f"{step.title}: the worker that did it stopped; another one goes on.",
        object_kind="step",
        object_name=step.title,
        operation=step.operation,
        step=step,
    )


def _columns(outcome: Outcome, step: Step, claim: Claim) -> dict[str, Any]:
    match outcome:
        case Done():
            return _done(outcome)
        case Wait():
            return _waiting(outcome, claim)
        case Failed():
            return _retrying(outcome, step)


def _done(outcome: Done) -> dict[str, Any]:
    return {
        "state": StepState.DONE,
        "finished_at": Now(),
        "message": outcome.message[:2000],
        "reason": "",
        "hint": "",
        "progress": None,
        "failures": 0,
    }


def _waiting(outcome: Wait, claim: Claim) -> dict[str, Any]:
    external_ref = outcome.external_ref or claim.external_ref
    is_due_now = bool(external_ref) and _missed_ring(external_ref, claim)
    return {
        "state": StepState.WAITING,
        "due_at": _after(0 if is_due_now else outcome.seconds),
        "message": outcome.message[:2000],
        "reason": outcome.reason,
        "hint": "",
        "progress": outcome.progress,
        "failures": 0,
        **({"external_ref": outcome.external_ref} if outcome.external_ref else {}),
    }


def _retrying(outcome: Failed, step: Step) -> dict[str, Any]:
    return {
        "state": StepState.RETRYING,
        "due_at": _after(outcome.retry.seconds_after(step.attempt)),
        "message": outcome.message[:2000],
        "reason": outcome.reason,
        "hint": outcome.hint[:2000],
        "progress": None,
        "failures": F("failures") + 1,
    }


def _after(seconds: float) -> Combinable:
    return Now() + timedelta(seconds=seconds)


def _missed_ring(external_ref: str, claim: Claim) -> bool:
    """Somebody rang while the step ran, so what it saw may be old."""
    lock_reference(external_ref)
    with connection.cursor() as cursor:
        cursor.execute(_MISSED, [claim.snapshot, claim.step_id, external_ref])
        row = cursor.fetchone()
    return bool(row and row[0])


def _go_on(operation: Operation, outcome: Done) -> None:
    if operation.state != OperationState.RUNNING:
        return
    if outcome.add_steps:
        check_graph(outcome.add_steps, known_keys=set(operation.steps.values_list("key", flat=True)))
        add_steps(operation, outcome.add_steps)
        # Pages draw them first, and then what becomes of each.
        announce_subject(operation.subject)
    go_on(operation)


def _record_notes(step: Step, operation: Operation, outcome: Outcome) -> None:
    for note in outcome.notes or _own_note(step, outcome):
        record_event(
            subject=operation.subject,
            severity=note.severity,
            reason=note.reason,
            message=note.message,
            object_kind=note.object_kind,
            object_name=note.object_name,
            operation=operation,
            step=step,
        )


def _own_note(step: Step, outcome: Outcome) -> tuple[Note, ...]:
    """What the log says when the step gives no notes: its end, and a failure unless it is the same again."""
    match outcome:
        case Done(message=message) if message:
            return (_note(step, Severity.INFO, "StepDone", f"{step.title}: {message}"),)
        case Failed() if (outcome.reason, outcome.message) != (step.reason, step.message):
            severity = Severity.ERROR if outcome.retry is Retry.SLOWLY else Severity.WARNING
            return (_note(step, severity, outcome.reason, outcome.message),)
    return ()


def _note(step: Step, severity: Severity, reason: str, message: str) -> Note:
    """About the machine whose step it is, else about the subject itself."""
    kind, name = ("machine", step.group) if step.group else ("", step.operation.subject_name)
    return Note(severity, reason, message, object_kind=kind, object_name=name)


def _change(operation: Operation, step: Step) -> Change:
    return Change(operation.tenant_id, operation.subject_kind, operation.subject_id, step_id=step.pk)
