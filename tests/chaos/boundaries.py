"""Places between two lines of the engine where a worker can be told to kill itself, once per step."""

import os
import signal
import time
from pathlib import Path

from palette_portal.orchestration import engine, owners, worker
from palette_portal.orchestration.models import Step

BOUNDARIES = (
    "rung",
    "claimed",
    "began",
    "acted",
    "kept",
    "returned-Wait",
    "recorded-Wait",
    "committed-Wait",
    "returned-Done",
    "recorded-Done",
    "committed-Done",
)


def folder() -> Path:
    return Path(os.environ["CHAOS_FOLDER"])


def plan_kill(root: Path, boundary: str, key: str) -> None:
    (root / "kills").mkdir(exist_ok=True)
    (root / "kills" / f"{boundary}__{key}").touch()


def planned_kills(root: Path) -> list[str]:
    return [path.name for path in (root / "kills").glob("*__*")]


def pass_boundary(boundary: str, key: str) -> None:
    """Die if that is planned. The plan's file is renamed first, so it happens once."""
    plan = folder() / "kills" / f"{boundary}__{key}"
    try:
        plan.rename(plan.with_name(f"died-{key}-{boundary}-{time.time()}"))
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def install() -> None:
    """Wrap the engine's own functions; the product has no hook for this."""
    claim_step, call = engine.claim_step, engine._call
    record_once, record_outcome = engine._record_once, engine.record_outcome

    answer = worker.answer_doorbell

    def answering(step_id):
        pass_boundary("rung", _key_of(step_id))
        answer(step_id)

    def claiming(step_id=None):
        claim = claim_step(step_id)
        if claim:
            # After the commit: claim_step is a transaction of its own.
            pass_boundary("claimed", _key_of(claim.step_id))
        return claim

    def calling(step, claim):
        outcome = call(step, claim)
        pass_boundary(f"returned-{type(outcome).__name__}", step.key)
        return outcome

    def recording(step, claim, outcome):
        record_outcome(step, claim, outcome)
        pass_boundary(f"recorded-{type(outcome).__name__}", step.key)

    def committing(step, claim, outcome):
        recorded = record_once(step, claim, outcome)
        pass_boundary(f"committed-{type(outcome).__name__}", step.key)
        return recorded

    if os.environ.get("CHAOS_OWNERS_UNKNOWN"):
        owners._machine = lambda: ""
    worker.answer_doorbell = answering
    engine.claim_step, engine._call = claiming, calling
    engine.record_outcome, engine._record_once = recording, committing


def _key_of(step_id) -> str:
    return Step.objects.values_list("key", flat=True).get(pk=step_id)
