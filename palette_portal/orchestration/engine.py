"""Does a step: claim it, call its function, record what it returned.

The result, the app's own rows (`write`), events, following steps and their doorbells are one transaction, and
only if the claim still counts. A step killed at any moment is done again; its result is recorded once.
"""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils.module_loading import import_string

from palette_portal.orchestration.claims import Claim, claim_step
from palette_portal.orchestration.models import Step
from palette_portal.orchestration.outcomes import Done, Failed, Outcome, Wait
from palette_portal.orchestration.recording import record_crash, record_outcome
from palette_portal.orchestration.steps import LostClaim, StepContext

logger = logging.getLogger(__name__)

StepFunction = Callable[[StepContext], Outcome]
Guard = Callable[[Claim], AbstractContextManager[object]]

INTERNAL_ERROR = Failed(
    reason="InternalError",
    message="Something unexpected went wrong in the portal.",
    hint="It is tried again by itself. If it does not go away, the worker's log says more.",
)
DATABASE_UNAVAILABLE = Failed(
    reason="DatabaseUnavailable",
    message="The portal's database did not answer.",
    hint="It is tried again by itself.",
)
DATABASE_GONE = (OperationalError, InterfaceError)
PAUSE_SECONDS = 0.2


def run_step(step_id: UUID, *, guard: Guard = nullcontext) -> Outcome | None:
    """Do the step if it is due. None: it was not, somebody else does it, or the claim was lost meanwhile."""
    claim = claim_step(step_id)
    return _perform(claim, guard) if claim else None


def run_next_step(*, guard: Guard = nullcontext) -> bool:
    """Do the step that is due longest; False when there is none."""
    claim = claim_step()
    if claim is None:
        return False
    _perform(claim, guard)
    return True


def _perform(claim: Claim, guard: Guard) -> Outcome | None:
    with guard(claim):
        try:
            step = Step.objects.select_related("operation").get(pk=claim.step_id)
            if step.crashes:
                record_crash(step)
            return _record(step, claim, _call(step, claim))
        except LostClaim:
            logger.warning("The claim on step %s was lost; its result is not recorded.", claim.step_id)
            return None


def _call(step: Step, claim: Claim) -> Outcome:
    try:
        function: StepFunction = import_string(step.function)
        outcome = function(_context(step, claim))
        if not isinstance(outcome, Done | Wait | Failed):
            raise TypeError(f"{step.function} returned {type(outcome).__name__}, not Done, Wait or Failed.")
        return outcome
    except LostClaim:
        raise
    except DATABASE_GONE:
        logger.exception("Step %s (%s) lost the database", step.pk, step.function)
        return DATABASE_UNAVAILABLE
    except Exception:
        logger.exception("Step %s (%s) raised", step.pk, step.function)
        return INTERNAL_ERROR


def _context(step: Step, claim: Claim) -> StepContext:
    return StepContext(
        step_id=step.pk,
        operation_id=step.operation_id,
        operation_kind=step.operation.kind,
        subject=step.operation.subject,
        key=step.key,
        arguments=step.arguments,
        attempt=step.attempt,
        external_ref=step.external_ref,
        hold=claim,
    )


def _record(step: Step, claim: Claim, outcome: Outcome) -> Outcome:
    while True:
        try:
            return _record_once(step, claim, outcome)
        except DATABASE_GONE:
            # A database that restarts, or a deadlock: the same result can be recorded while the lease lasts.
            if connection.in_atomic_block or not claim.is_good():
                raise
            connection.close()
            time.sleep(PAUSE_SECONDS)


def _record_once(step: Step, claim: Claim, outcome: Outcome) -> Outcome:
    try:
        with transaction.atomic():
            record_outcome(step, claim, outcome)
        return outcome
    except (LostClaim, *DATABASE_GONE):
        raise
    except Exception:
        logger.exception("The result of step %s (%s) could not be written", step.pk, step.function)
    with transaction.atomic():
        record_outcome(step, claim, INTERNAL_ERROR)
    return INTERNAL_ERROR
