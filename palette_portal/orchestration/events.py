"""Events are numbered per tenant without gaps, and a reader "after N" never misses one.

The counter's row is locked from the numbering to the commit, so commits appear in the order of numbers.
Therefore number late: inside `numbered_last()` events are only collected, and numbered when the block ends.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from palette_portal.orchestration.changes import Change, announce
from palette_portal.orchestration.models import Event, Operation, Severity, Step
from palette_portal.orchestration.steps import Subject

KEPT_PER_SUBJECT = 1000
# Much longer than between two looks, and than a dispatcher is away.
LATELY = timedelta(hours=6)
# With the newest number that has to go, of each lively subject that has too many.
_OVERFULL = """
    SELECT subject_kind, subject_id, to_go.number
    FROM (
        SELECT DISTINCT subject_kind, subject_id FROM orchestration_event
        WHERE archived_at IS NULL AND at > %(since)s
    ) AS lively
    CROSS JOIN LATERAL (
        SELECT number FROM orchestration_event AS event
        WHERE archived_at IS NULL
            AND event.subject_kind = lively.subject_kind AND event.subject_id = lively.subject_id
        ORDER BY number DESC OFFSET %(keep)s LIMIT 1
    ) AS to_go
"""
_collected: ContextVar[list[Event] | None] = ContextVar("collected_events", default=None)


def record_event(
    *,
    subject: Subject,
    severity: Severity,
    reason: str,
    message: str,
    object_kind: str = "",
    object_name: str = "",
    operation: Operation | None = None,
    step: Step | None = None,
) -> Event:
    """Call it late in the transaction: until the commit no other transaction of the tenant records one."""
    event = Event(
        tenant_id=subject.tenant_id,
        project_id=subject.project_id,
        subject_kind=subject.kind,
        subject_id=subject.id,
        subject_name=subject.name,
        severity=severity,
        reason=reason,
        message=message[:2000],
        object_kind=object_kind,
        object_name=object_name,
        operation=operation,
        step=step,
    )
    collected = _collected.get()
    if collected is None:
        _number([event])
    else:
        collected.append(event)
    return event


@contextmanager
def numbered_last() -> Iterator[None]:
    """Number the block's events at its end, so that no lock is waited for while the counter's is held."""
    events: list[Event] = []
    reset = _collected.set(events)
    try:
        yield
    finally:
        _collected.reset(reset)
    by_tenant: dict[UUID, list[Event]] = {}
    for event in events:
        by_tenant.setdefault(event.tenant_id, []).append(event)
    for _, same_tenant in sorted(by_tenant.items(), key=lambda item: str(item[0])):
        _number(same_tenant)


def archive_old_events(*, keep: int = KEPT_PER_SUBJECT) -> int:
    """Take all but the newest `keep` of a subject out of the pages; they stay in the table.

    Only subjects to which something happened lately are looked at: others have no more than before.
    """
    with connection.cursor() as cursor:
        cursor.execute(_OVERFULL, {"since": timezone.now() - LATELY, "keep": keep})
        overfull = cursor.fetchall()
    return sum(_archive(kind, subject_id, number) for kind, subject_id, number in overfull)


def _archive(subject_kind: str, subject_id: UUID, number: int) -> int:
    rows = Event.objects.filter(subject_kind=subject_kind, subject_id=subject_id).current()
    return rows.filter(number__lte=number).update(archived_at=timezone.now())


def _number(events: list[Event]) -> None:
    with transaction.atomic():
        last = _take_numbers(events[0].tenant_id, len(events))
        for number, event in enumerate(events, start=last - len(events) + 1):
            event.number = number
        Event.objects.bulk_create(events)
        announce(*(_change(event) for event in events))


def _take_numbers(tenant_id: UUID, count: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO orchestration_eventcounter (tenant_id, last_number) VALUES (%s, %s)
            ON CONFLICT (tenant_id) DO UPDATE
                SET last_number = orchestration_eventcounter.last_number + EXCLUDED.last_number
            RETURNING last_number
            """,
            [tenant_id, count],
        )
        row: tuple[int] = cursor.fetchone()
        return row[0]


def _change(event: Event) -> Change:
    return Change(
        tenant_id=event.tenant_id,
        subject_kind=event.subject_kind,
        subject_id=event.subject_id,
        event_number=event.number,
        step_id=event.step_id,
    )
