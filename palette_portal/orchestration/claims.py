"""At most one worker has a step: a claim is a token and a lease on the database's clock.

Whoever claims raises the token; every write about a claimed step repeats its token and changes nothing when
another worker has raised it. After a lease ended the next worker is let in: nobody acts with an old one.
"""

import time
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from palette_portal.orchestration.changes import Change, announce
from palette_portal.orchestration.models import Step
from palette_portal.orchestration.owners import is_dead, this_process
from palette_portal.orchestration.states import StepState
from palette_portal.orchestration.steps import LostClaim

# A step that takes its worker with it three times is left alone for longer and longer, up to ten minutes.
_ABANDONED = """
    step.state = 'Running' AND step.lease_until
        + make_interval(secs => CASE WHEN step.crashes < 3 THEN 0 ELSE LEAST(600, 2 ^ step.crashes) END)
        <= clock_timestamp()
"""
_DUE = f"""
    (step.state IN ('Ready', 'Waiting', 'Retrying') AND step.due_at <= clock_timestamp() OR {_ABANDONED})
    AND operation.state = 'Running'
"""
# What became due first, its head start counted. Within the same two seconds, what others wait for most
# likely: steps of the subject itself, then what stands first in its plan.
_URGENCY = """
    floor((extract(epoch FROM COALESCE(step.due_at, step.lease_until)) - step.head_start_seconds) / 2),
    step."group" <> '', step.position, COALESCE(step.due_at, step.lease_until)
"""
_CLAIM = f"""
    UPDATE orchestration_step SET
        state = 'Running', token = token + 1, owner = %(owner)s, due_at = NULL,
        lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
        started_at = clock_timestamp(), first_started_at = COALESCE(first_started_at, clock_timestamp()),
        attempt = attempt + CASE state WHEN 'Waiting' THEN 0 ELSE 1 END,
        crashes = crashes + CASE state WHEN 'Running' THEN 1 ELSE 0 END
    WHERE id = (
        SELECT step.id FROM orchestration_step AS step
        JOIN orchestration_operation AS operation ON operation.id = step.operation_id
        WHERE {_DUE} AND (%(step)s::uuid IS NULL OR step.id = %(step)s)
        ORDER BY {_URGENCY} LIMIT 1
        FOR UPDATE OF step SKIP LOCKED
    )
    RETURNING id, token, pg_current_snapshot()::text, external_ref
"""
_RENEW = """
    UPDATE orchestration_step SET lease_until = clock_timestamp() + make_interval(secs => %s)
    WHERE id = %s AND token = %s AND state = 'Running'
"""
# Due, but nobody rang lately: the bell was lost with a process, or has not rung yet.
_SILENT = f"""
    SELECT step.id FROM orchestration_step AS step
    JOIN orchestration_operation AS operation ON operation.id = step.operation_id
    WHERE {_DUE} AND (
        step.rung_at IS NULL OR step.rung_at < COALESCE(step.due_at, step.lease_until)
        OR step.rung_at < clock_timestamp() - make_interval(secs => %s)
    )
    ORDER BY COALESCE(step.due_at, step.lease_until) LIMIT %s
"""
_NEXT_DUE = """
    SELECT extract(epoch FROM min(moment) - clock_timestamp())::float FROM (
        SELECT min(due_at) AS moment FROM orchestration_step
        WHERE state IN ('Ready', 'Waiting', 'Retrying') AND due_at > clock_timestamp()
        UNION ALL
        SELECT min(lease_until) FROM orchestration_step
        WHERE state = 'Running' AND lease_until > clock_timestamp()
    ) AS moments
"""


def boot_clock() -> float:
    """Seconds that also pass while the machine is suspended, as the database's clock does."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@dataclass
class Claim:
    """The hold on a running step. `good_until` is this machine's idea of the lease's end, never too late."""

    step_id: UUID
    token: int
    snapshot: str
    good_until: float = field(repr=False)
    external_ref: str = ""

    def is_good(self) -> bool:
        return boot_clock() < self.good_until

    def confirm(self) -> None:
        if not self.is_good() or not self.renew():
            raise LostClaim(self.step_id)

    def renew(self) -> bool:
        """False when another worker has the step, or it was ended."""
        now = boot_clock()
        with connection.cursor() as cursor:
            cursor.execute(_RENEW, [settings.ORCHESTRATION_LEASE_SECONDS, self.step_id, self.token])
            renewed: bool = cursor.rowcount == 1
        if renewed:
            self.good_until = now + settings.ORCHESTRATION_LEASE_SECONDS
        return renewed

    def keep_reference(self, external_ref: str) -> None:
        self.write(external_ref=external_ref)
        self.external_ref = external_ref

    @transaction.atomic
    def show_progress(self, progress: int, message: str) -> None:
        self.write(progress=progress, message=message[:2000])
        operation = Step.objects.select_related("operation").get(pk=self.step_id).operation
        announce(
            Change(operation.tenant_id, operation.subject_kind, operation.subject_id, step_id=self.step_id)
        )

    def write(self, **values: object) -> None:
        """Change the claimed step, or raise LostClaim."""
        mine = Step.objects.filter(pk=self.step_id, token=self.token, state=StepState.RUNNING)
        if not mine.update(**values):
            raise LostClaim(self.step_id)


@transaction.atomic
def claim_step(step_id: UUID | None = None) -> Claim | None:
    """Take this step if it is due and free; without an id the one that is due longest."""
    lease = settings.ORCHESTRATION_LEASE_SECONDS
    now = boot_clock()
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"owner": this_process(), "lease": lease, "step": step_id})
        row = cursor.fetchone()
    if row is None:
        return None
    return Claim(step_id=row[0], token=row[1], snapshot=row[2], external_ref=row[3], good_until=now + lease)


def silent_steps(*, ring_again_seconds: float, limit: int) -> list[UUID]:
    """Due steps whose bell did not ring, or rang so long ago that nobody can have heard it."""
    with connection.cursor() as cursor:
        cursor.execute(_SILENT, [ring_again_seconds, limit])
        return [row[0] for row in cursor.fetchall()]


def seconds_to_next_due() -> float | None:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_DUE)
        row = cursor.fetchone()
        return None if row is None else row[0]


def release_steps_of_the_dead() -> list[UUID]:
    """End the leases of processes of this machine that are gone, instead of waiting for the leases' end."""
    running = Step.objects.filter(state=StepState.RUNNING).values_list("pk", "token", "owner")
    return [
        step_id for step_id, token, owner in running if is_dead(owner) and _end_lease(step_id, token, owner)
    ]


def _end_lease(step_id: UUID, token: int, owner: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orchestration_step SET lease_until = LEAST(lease_until, clock_timestamp())"
            " WHERE id = %s AND token = %s AND owner = %s AND state = 'Running'",
            [step_id, token, owner],
        )
        ended: bool = cursor.rowcount == 1
    return ended
