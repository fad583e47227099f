"""Runs operations in the test's own process, step by step: no worker, no dispatcher, no waiting."""

from django.db.models.functions import Now

from palette_portal.orchestration.engine import run_next_step
from palette_portal.orchestration.models import Operation, Step, StepState


def run_due_steps(*, limit: int = 500) -> int:
    """Do steps until none is due; the number of steps done."""
    for count in range(limit):
        if not run_next_step():
            return count
    raise AssertionError(f"More than {limit} steps were due: something goes round in circles.")


def run_to_end(operation: Operation, *, rounds: int = 50) -> Operation:
    """As `run_due_steps`, but waits and retries come due at once, `rounds` times at most."""
    for _ in range(rounds):
        run_due_steps()
        operation.refresh_from_db()
        if not operation.is_active or not make_waiting_steps_due(operation):
            return operation
    return operation


def make_waiting_steps_due(operation: Operation) -> int:
    pausing = operation.steps.filter(state__in=[StepState.WAITING, StepState.RETRYING])
    return pausing.update(due_at=Now())


def step_of(operation: Operation, key: str) -> Step:
    return operation.steps.get(key=key)
