"""Rings workers: a django-q2 task in the transaction that made a step due, and a NOTIFY to its reader.

Nothing depends on it: the dispatcher rings again for every step that stays due.
"""

from collections.abc import Sequence
from uuid import UUID

from django.db.models.functions import Now
from django_q.tasks import async_task

from palette_portal.orchestration.changes import DISPATCHER_CHANNEL, WORKERS_CHANNEL, notify
from palette_portal.orchestration.models import Step

ANSWER = "palette_portal.orchestration.worker.answer_doorbell"


def ring_workers(step_ids: Sequence[UUID]) -> None:
    if not step_ids:
        return
    Step.objects.filter(pk__in=step_ids).update(rung_at=Now())
    for step_id in step_ids:
        async_task(ANSWER, str(step_id), q_options={"save": False, "ack_failure": True})
    notify(WORKERS_CHANNEL, "")


def tell_dispatcher() -> None:
    """Something has a new time at which it is due."""
    notify(DISPATCHER_CHANNEL, "")
