"""Parts that pages and streams show again and again, drawn once for each content.

The key is all that the markup tells: what is kept is never out of date, nor one person's.
"""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from django import template
from django.template import Context
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from clusters.listing import ListedCluster
from palette_portal.orchestration.progress import ShownStep

register = template.Library()


@register.simple_tag
@lru_cache(maxsize=4096)
def cluster_row(listed: ListedCluster) -> SafeString:
    return render_to_string("clusters/_cluster_row.html", {"listed": listed, "oob": False})


class DoneStep(NamedTuple):
    """All that clusters/_step.html tells of a step that is done."""

    id: UUID
    title: str
    attempt: int
    message: str
    hint: str
    finished_at: datetime
    duration: timedelta | None


@register.simple_tag(takes_context=True)
def step(context: Context, shown: ShownStep) -> SafeString:
    """One that is not done tells the time, and what this person may do."""
    if shown.look == "done" and shown.step.finished_at is not None:
        return done_step(DoneStep._make(getattr(shown.step, name) for name in DoneStep._fields))
    facts = {"cluster": context.get("cluster"), "retry_denied": context.get("retry_denied")}
    return render_to_string("clusters/_step.html", {**facts, "shown": shown, "oob": False})


@lru_cache(maxsize=4096)
def done_step(done: DoneStep) -> SafeString:
    shown = {"step": done, "look": "done", "has_body": True, "is_open": False}
    return render_to_string("clusters/_step.html", {"shown": shown, "oob": False})
