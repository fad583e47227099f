"""The other process of the stream benchmark: makes a cluster that is being provisioned, changes a step."""

import json
import os
import sys
import time
from importlib import import_module
from typing import Any

import django


def prepare(session_count: int) -> dict[str, Any]:
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from palette_portal.orchestration.actions import start_operation
    from palette_portal.orchestration.models import OperationKind
    from palette_portal.orchestration.steps import StepSpec
    from tests.factories import amelia, make_cluster

    user, cluster = amelia(), make_cluster()
    steps = [StepSpec(f"step-{n}", f"Step {n}", "none", group=f"machine-{n % 3}") for n in range(30)]
    operation = start_operation(kind=OperationKind.PROVISION, subject=cluster.subject, steps=steps, by=user)
    sessions = []
    for _ in range(session_count):
        session = import_module(settings.SESSION_ENGINE).SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        sessions.append(session.session_key)
    step = operation.steps.get(key="step-7")
    return {"cluster": str(cluster.pk), "step": str(step.pk), "sessions": sessions}


def change(step_id: str, count: int, pause_seconds: float) -> list[float]:
    """The moments right before each commit."""
    from django.db import transaction

    from palette_portal.orchestration.changes import Change, announce
    from palette_portal.orchestration.models import Step, StepState

    step = Step.objects.select_related("operation").get(pk=step_id)
    subject = step.operation.subject
    moments = []
    for n in range(count):
        with transaction.atomic():
            Step.objects.filter(pk=step_id).update(state=StepState.WAITING, message=f"Working: tick-{n}.")
            announce(Change(subject.tenant_id, subject.kind, subject.id, step_id=step.pk))
            moments.append(time.time())
        time.sleep(pause_seconds)
    return moments


def run() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palette_portal.settings")
    django.setup()
    match sys.argv[1:]:
        case ["prepare", session_count]:
            answer: object = prepare(int(session_count))
        case ["change", step_id, count, pause]:
            answer = change(step_id, int(count), float(pause))
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    run()
