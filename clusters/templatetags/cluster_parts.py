"""Parts that pages and streams show again and again, drawn once for each content or once for each shape.

A shape is a template's markup with gaps for what differs: fifty rows, or ninety steps, have a few shapes.
"""

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
from palette_portal.tenants.templatetags.portal import duration, time_ago

register = template.Library()

# No text from the database has this character.
_GAP = re.compile(r"\0(\w+)\0")


@register.simple_tag
@lru_cache(maxsize=4096)
def cluster_row(listed: ListedCluster, *, oob: bool = False) -> SafeString:
    """The key is all that the markup tells: what is kept is never out of date, nor one person's."""
    told = {name: html.escape(text) for name, text in _told_by_row(listed).items() if text}
    shape = _row_shape(listed.state, listed.health, listed.purpose, tuple(told), oob)
    return mark_safe(shape.format_map({**told, "age": time_ago(listed.created_at)}))


def _told_by_row(listed: ListedCluster) -> dict[str, str]:
    return {
        "key": listed.id.hex,
        "address": listed.address,
        "name": listed.name,
        "place": str(listed.place) if listed.place else "",
        "place_reason": listed.place.reason if listed.place else "",
        "profile_name": listed.profile_name or "",
        "version": listed.version or "",
        "kubernetes_version": listed.kubernetes_version,
        "running_nodes": str(listed.running_nodes),
        "nodes": str(listed.nodes),
        "gateway_name": listed.gateway_name,
        "project_name": listed.project_name or "",
        "tag": listed.tag,
        "tag_query": listed.tag_query,
        "more_tags": listed.more_tags,
        "more_tags_count": listed.more_tags_count,
    }


@lru_cache(maxsize=512)
def _row_shape(state: str, health: str, purpose: str, told: tuple[str, ...], oob: bool) -> str:
    gaps = {name: _gap(name) for name in (*told, "age")}
    fixed = {"state": state, "health": health, "is_gateway": purpose == "gateway", "oob": oob}
    return _with_gaps("clusters/_cluster_row.html", {**gaps, **fixed})


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
    took = step.duration.total_seconds() if step.duration else None
    shape = _done_shape(step.attempt, bool(step.message), bool(step.hint))
    title, message, hint = html.escape(step.title), html.escape(step.message), html.escape(step.hint)
    return mark_safe(shape.format(id=step.id, title=title, message=message, hint=hint, took=duration(took)))


@lru_cache(maxsize=256)
def _done_shape(attempt: int, has_message: bool, has_hint: bool) -> str:
    message, hint = has_message and _gap("message"), has_hint and _gap("hint")
    told = {"id": _gap("id"), "title": _gap("title"), "message": message, "hint": hint, "attempt": attempt}
    shown = {"step": told, "look": "done", "has_body": True, "is_open": False, "took": _gap("took")}
    return _with_gaps("clusters/_step.html", {"shown": shown, "oob": False})


def _gap(name: str) -> str:
    return f"\0{name}\0"


def _with_gaps(template_name: str, context: Mapping[str, Any]) -> str:
    """A template's markup for str.format; the context has a `_gap` for each text to be filled in, escaped."""
    drawn = render_to_string(template_name, dict(context))
    return _GAP.sub(r"{\1}", drawn.replace("{", "{{").replace("}", "}}"))
