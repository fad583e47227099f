"""What apps and pages do with operations. Each joins the caller's transaction."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import CharField, Func, QuerySet
from django.db.models.functions import Now
from django.utils.module_loading import import_string

from palette_portal.http import Conflict
from palette_portal.orchestration.changes import Change, announce
from palette_portal.orchestration.doorbell import ring_workers
from palette_portal.orchestration.events import numbered_last, record_event
from palette_portal.orchestration.graph import check_graph
from palette_portal.orchestration.models import Operation, OperationKind, OperationState, Ring, Severity, Step
from palette_portal.orchestration.states import StepState
from palette_portal.orchestration.steps import StepSpec, Subject
from palette_portal.tenants.models import User

__all__ = [
    "CannotRetry",
    "OperationActive",
    "add_steps",
    "announce_subject",
    "cancel_operation",
    "note_progress",
    "numbered_last",
    "record_event",
    "release_operation",
    "retry_step_now",
    "ring",
    "start_operation",
    "steps_still_running",
]


_TRANSACTION_ID = Func(template="pg_current_xact_id()::text", output_field=CharField())


class OperationActive(Conflict):
    """The subject has an operation that has not ended; `reason` is a sentence for the page."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        super().__init__(f"Another operation on {subject.name} is running. Wait until it has ended.")


class CannotRetry(Conflict):
    """The step waits for no retry (any more); `reason` is a sentence for the page."""

    def __init__(self, step: Step) -> None:
        super().__init__(f"{step.title} is not waiting for another attempt.")


@transaction.atomic
def start_operation(
    *,
    kind: OperationKind,
    subject: Subject,
    steps: Sequence[StepSpec],
    by: User | None,
    queued_because: str = "",
) -> Operation:
    """With `queued_because` it waits for `release_operation`; the page shows the reason."""
    check_graph(steps)
    operation = _insert(
        Operation(
            kind=kind,
            subject_kind=subject.kind,
            subject_id=subject.id,
            subject_name=subject.name,
            tenant_id=subject.tenant_id,
            project_id=subject.project_id,
            requested_by=by,
            state=OperationState.QUEUED,
            reason=queued_because,
        )
    )
    add_steps(operation, steps)
    if not queued_because:
        release_operation(operation)
    else:
        announce_subject(subject)
    return operation


def _insert(operation: Operation) -> Operation:
    try:
        with transaction.atomic():
            operation.save(force_insert=True)
    except IntegrityError as error:
        if "operation_one_active_per_subject" in str(error):
            raise OperationActive(operation.subject) from error
        raise
    return operation


def add_steps(operation: Operation, specs: Sequence[StepSpec]) -> list[Step]:
    """Plan more steps; they begin when what they depend on is done."""
    first = operation.steps.count()
    return Step.objects.bulk_create(
        Step(
            operation=operation,
            key=spec.key,
            title=spec.title,
            group=spec.group,
            position=position,
            function=spec.function,
            arguments=dict(spec.arguments),
            depends_on=list(spec.depends_on),
            head_start_seconds=spec.head_start_seconds,
        )
        for position, spec in enumerate(specs, start=first)
    )


@transaction.atomic
def release_operation(operation: Operation) -> bool:
    """Start a queued operation; False when it is not queued any more."""
    queued = Operation.objects.filter(pk=operation.pk, state=OperationState.QUEUED)
    if not queued.update(state=OperationState.RUNNING, reason="", started_at=Now()):
        return False
    operation.refresh_from_db()
    announce_subject(operation.subject)  # first: a page knows the steps before it hears that one has begun
    with numbered_last():
        record_event(
            subject=operation.subject,
            severity=Severity.INFO,
            reason="OperationStarted",
            message=f"{operation} started{f', asked for by {by}' if (by := operation.requested_by) else ''}.",
            operation=operation,
        )
        go_on(operation)
    return True


@transaction.atomic
def cancel_operation(operation: Operation, *, by: User | None) -> bool:
    """No step begins any more. One that a worker is doing ends by itself: see `steps_still_running`."""
    reason = f"Cancelled by {by}." if by else "Cancelled."
    active = Operation.objects.active().filter(pk=operation.pk)
    if not active.update(state=OperationState.CANCELLED, reason=reason[:300], finished_at=Now()):
        return False
    operation.refresh_from_db()
    idle = operation.steps.open().exclude(state=StepState.RUNNING).select_for_update(skip_locked=True)
    _cancel(Step.objects.filter(pk__in=list(idle.values_list("pk", flat=True))))
    announce_subject(operation.subject)
    record_event(
        subject=operation.subject,
        severity=Severity.WARNING,
        reason="OperationCancelled",
        message=f"{operation}: {reason[0].lower()}{reason[1:]}",
        operation=operation,
    )
    _tell_end(operation)
    return True


def _cancel(steps: "QuerySet[Step]") -> int:
    return steps.update(state=StepState.CANCELLED, due_at=None, lease_until=None, finished_at=Now())


def cancel_abandoned_steps() -> int:
    """End steps of cancelled operations whose worker is gone."""
    abandoned = Step.objects.filter(
        operation__state=OperationState.CANCELLED, state=StepState.RUNNING, lease_until__lte=Now()
    )
    return _cancel(abandoned)


def steps_still_running(operation: Operation) -> "QuerySet[Step]":
    """Steps that a worker is doing although the operation may be cancelled."""
    return operation.steps.held()


@transaction.atomic
def retry_step_now(step: Step, *, by: User | None) -> None:
    retrying = Step.objects.filter(
        pk=step.pk, state=StepState.RETRYING, operation__state=OperationState.RUNNING
    )
    if not retrying.update(due_at=Now()):
        raise CannotRetry(step)
    ring_workers([step.pk])
    operation = step.operation
    announce(_change(operation, step.pk))
    record_event(
        subject=operation.subject,
        severity=Severity.INFO,
        reason="RetryRequested",
        message=f"{step.title}: {by or 'somebody'} asked to try again now.",
        operation=operation,
        step=step,
    )


@transaction.atomic(savepoint=False)
def ring(external_ref: str) -> int:
    """Make due now what waits for the reference, and what failed with it and pauses before its next attempt.

    A step about to wait for it will not wait.
    """
    lock_reference(external_ref)
    Ring.objects.bulk_create(
        [Ring(external_ref=external_ref, transaction=_TRANSACTION_ID, rung_at=Now())],
        update_conflicts=True,
        unique_fields=["external_ref"],
        update_fields=["transaction", "rung_at"],
    )
    waiting = Step.objects.select_for_update(skip_locked=True, of=("self",)).filter(
        external_ref=external_ref,
        state__in=(StepState.WAITING, StepState.RETRYING),
        operation__state=OperationState.RUNNING,
    )
    step_ids = list(waiting.values_list("pk", flat=True))
    Step.objects.filter(pk__in=step_ids).update(due_at=Now())
    ring_workers(step_ids)
    return len(step_ids)


@transaction.atomic
def note_progress(external_ref: str, progress: int) -> int:
    """Show how far something has come that steps wait for; they go on waiting."""
    waiting = Step.objects.filter(external_ref=external_ref, state=StepState.WAITING)
    steps = list(waiting.exclude(progress=progress).select_related("operation"))
    waiting.update(progress=progress)
    announce(*(_change(step.operation, step.pk) for step in steps))
    return len(steps)


def announce_subject(subject: Subject) -> None:
    """Something of it changed that no event and no step tells: open pages render it again."""
    announce(Change(subject.tenant_id, subject.kind, subject.id))


def go_on(operation: Operation) -> None:
    """Begin the steps whose dependencies are all done; with its last step the operation succeeds.

    The caller holds the operation's lock.
    """
    steps = list(operation.steps.values_list("pk", "key", "state", "depends_on"))
    done = {key for _, key, state, _ in steps if state == StepState.DONE}
    if len(done) == len(steps):
        _succeed(operation)
        return
    pending = (row for row in steps if row[2] == StepState.PENDING)
    _begin(operation, [step_id for step_id, _, _, needed in pending if done.issuperset(needed)])


def _begin(operation: Operation, step_ids: Sequence[UUID]) -> None:
    if not step_ids:
        return
    Step.objects.filter(pk__in=step_ids).update(state=StepState.READY, due_at=Now())
    ring_workers(step_ids)
    announce(*(_change(operation, step_id) for step_id in step_ids))


def _succeed(operation: Operation) -> None:
    running = Operation.objects.filter(pk=operation.pk, state=OperationState.RUNNING)
    if not running.update(state=OperationState.SUCCEEDED, finished_at=Now()):
        return
    record_event(
        subject=operation.subject,
        severity=Severity.INFO,
        reason="OperationSucceeded",
        message=f"{operation}: all steps are done.",
        operation=operation,
    )
    _tell_end(operation)


def _tell_end(operation: Operation) -> None:
    """After the commit the apps hear of it: what waited for the end can begin."""
    for path in settings.ORCHESTRATION_ENDINGS:
        transaction.on_commit(partial(import_string(path), operation), robust=True)


def lock_reference(external_ref: str) -> None:
    """Until the transaction ends, ringing the reference and beginning to wait for it happen one by one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [external_ref])


def _change(operation: Operation, step_id: UUID) -> Change:
    return Change(operation.tenant_id, operation.subject_kind, operation.subject_id, step_id=step_id)
