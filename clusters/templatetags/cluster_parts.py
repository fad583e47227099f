"""Parts that pages and streams show again and again, drawn once for each content or once for each shape."""

import html
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from django import template
from django.template import Context
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from clusters.listing import ListedCluster
from clusters.models import Cluster, Machine
from palette_portal.orchestration.models import Step
from palette_portal.orchestration.progress import ShownStep
from palette_portal.tenants.templatetags.portal import duration

register = template.Library()

# No text from the database has this character.
_GAP = re.compile(r"\0(\d)\0")


@register.simple_tag
@lru_cache(maxsize=4096)
def cluster_row(listed: ListedCluster) -> SafeString:
    """The key is all that the markup tells: what is kept is never out of date, nor one person's."""
    return render_to_string("clusters/_cluster_row.html", {"listed": listed, "oob": False})


class NodeConsole(NamedTuple):
    """All that clusters/_node_console.html tells; the last two are of the person and the state."""

    cluster_id: UUID
    id: UUID
    name: str
    moid: str
    ssh_command: str
    vcenter_server: str
    change_reason: str
    offers_changes: bool


@register.simple_tag
def node_console(machine: Machine, cluster: Cluster, change_reason: str, offers_changes: bool) -> SafeString:
    account = cluster.cloud_account
    shown = NodeConsole(
        cluster_id=cluster.pk,
        id=machine.pk,
        name=machine.name,
        moid=machine.moid,
        ssh_command=machine.ssh_command if cluster.ssh_keys else "",
        vcenter_server=account.vcenter_server if account else "",
        change_reason=change_reason,
        offers_changes=offers_changes,
    )
    return _drawn_console(shown)


@lru_cache(maxsize=4096)
def _drawn_console(shown: NodeConsole) -> SafeString:
    return render_to_string("clusters/_node_console.html", shown._asdict())


@register.simple_tag(takes_context=True)
def steps(context: Context, shown: Iterable[ShownStep]) -> SafeString:
    facts = {"cluster": context.get("cluster"), "retry_denied": context.get("retry_denied"), "oob": False}
    return mark_safe("".join(_step(one, facts) for one in shown))


def _step(shown: ShownStep, facts: Mapping[str, Any]) -> SafeString:
    """One that is not done tells the time, and what this person may do."""
    if shown.look == "done" and shown.step.finished_at is not None:
        return _done_step(shown.step)
    return render_to_string("clusters/_step.html", {**facts, "shown": shown})


def _done_step(step: Step) -> SafeString:
    """There are a hundred of them on a page, all of a few shapes."""
    took = step.duration.total_seconds() if step.duration else None
    shape = _done_shape(step.attempt, bool(step.message), bool(step.hint))
    told = (str(step.id), step.title, step.message, step.hint, duration(took))
    return mark_safe(shape.format(*map(html.escape, told)))


@lru_cache(maxsize=256)
def _done_shape(attempt: int, has_message: bool, has_hint: bool) -> str:
    """The markup of clusters/_step.html with gaps for id, title, message, hint and how long it took."""
    message, hint = has_message and _gap(2), has_hint and _gap(3)
    told = {"id": _gap(0), "title": _gap(1), "message": message, "hint": hint, "attempt": attempt}
    shown = {"step": told, "look": "done", "has_body": True, "is_open": False, "took": _gap(4)}
    drawn = render_to_string("clusters/_step.html", {"shown": shown, "oob": False})
    return _GAP.sub(r"{\1}", drawn.replace("{", "{{").replace("}", "}}"))


def _gap(place: int) -> str:
    return f"\0{place}\0"
