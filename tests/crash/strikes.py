"""Inside a worker: at one place of every step something dies, once per step.

`$CRASH_FOLDER/strike` says what; without that file nothing happens. `victims/<name>` are process ids.
"""

import json
import os
import signal
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from palette_portal.orchestration import engine
from palette_portal.orchestration.models import Step

# ReconfigVM_Task is not among them: the lab's guests call it as well.
LOSABLE = ("CloneVM_Task", "PowerOnVM_Task", "PowerOffVM_Task", "Destroy_Task")
OUTAGE_SECONDS = 1.0


def folder() -> Path:
    return Path(os.environ["CRASH_FOLDER"])


def planned() -> dict[str, str]:
    with suppress(OSError, ValueError):
        plan: dict[str, str] = json.loads((folder() / "strike").read_text())
        return plan
    return {}


def pass_place(place: str, key: str) -> None:
    plan = planned()
    if plan.get("place") != place:
        return
    mark = folder() / "struck" / f"{plan['run']}__{key.replace('/', '+')}"
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return
    strike(plan["victim"], plan["control"])


def strike(victim: str, control: str) -> None:
    if victim == "worker":
        os.kill(os.getpid(), signal.SIGKILL)
    elif victim == "vCenter":
        _tell_lab(control, "/outage", {"seconds": OUTAGE_SECONDS, "mode": "reset"})
    elif victim == "reply":
        for method in LOSABLE:
            fault = {"method": method, "at": "lose-reply-after", "times": 1, "name": "*"}
            _tell_lab(control, "/faults", fault)
    else:
        with suppress(OSError, ValueError):
            os.kill(int((folder() / "victims" / victim).read_text()), signal.SIGKILL)


def _tell_lab(control: str, path: str, body: dict[str, object]) -> None:
    data = json.dumps(body).encode()
    request = urllib.request.Request(f"http://{control}{path}", data=data, method="POST")
    with urllib.request.urlopen(request, timeout=10):
        return


def install() -> None:
    """Wrap the engine's own functions; the product has no hook for this."""
    claim_step, call, record_once = engine.claim_step, engine._call, engine._record_once

    def claiming(step_id=None):
        claim = claim_step(step_id)
        if claim:
            pass_place("claimed", _key_of(claim.step_id))
        return claim

    def calling(step, claim):
        outcome = call(step, claim)
        pass_place("acted", step.key)
        return outcome

    def committing(step, claim, outcome):
        recorded = record_once(step, claim, outcome)
        pass_place("recorded", step.key)
        return recorded

    engine.claim_step, engine._call, engine._record_once = claiming, calling, committing


def _key_of(step_id) -> str:
    for _ in range(20):
        with suppress(Exception):
            return Step.objects.values_list("key", flat=True).get(pk=step_id)
        time.sleep(0.1)
    return str(step_id)
