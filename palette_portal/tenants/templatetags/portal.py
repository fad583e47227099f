"""The small pieces that every page uses; their markup is in templates/_components/."""

from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import uuid4

import lucide
from django import template
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from palette_portal.tenants.looks import look_of

register = template.Library()


@register.simple_tag
@lru_cache(maxsize=512)
def icon(name: str, size: int = 16, css: str = "") -> SafeString:
    """An inline SVG that screen readers skip: its meaning stands in the text beside it."""
    attributes = {"class": f"i {css}".strip(), "aria_hidden": "true"}
    return mark_safe(lucide._render_icon(str(name), size, **attributes))


@register.simple_tag
@lru_cache(maxsize=256)
def state(word: str, kind: str = "thing") -> SafeString:
    """The pill of a state; kind "step" or "operation" for the engine's words."""
    return render_to_string("_components/state.html", {"word": word, "look": look_of(str(word), kind)})


@register.simple_tag
def tone_of(word: str, kind: str = "thing") -> str:
    return look_of(str(word), kind).tone


@register.simple_tag
@lru_cache(maxsize=1024, typed=True)
def copy(value: object, label: str = "Copy") -> SafeString:
    return render_to_string("_components/copy.html", {"value": value, "label": label})


@register.inclusion_tag("_components/button.html")
def button(
    label: str, *, href: str = "", reason: str = "", tone: str = "", icon: str = "", **attributes: Any
) -> Any:
    """A link (href) or a button. With a reason it is disabled, and the reason is shown on hover and focus.

    Further arguments become attributes, with dashes for underscores: hx_get=... hx_target="#dialogs".
    """
    name = str(attributes.pop("id", "")) or f"b{uuid4().hex[:8]}"
    return {
        "label": label,
        "href": href,
        "reason": reason,
        "tone": tone,
        "icon": icon,
        "id": name,
        "type": attributes.pop("type", "button"),
        "attributes": _attributes(attributes),
    }


@register.inclusion_tag("_components/menu_item.html")
def menu_item(label: str, **arguments: Any) -> dict[str, Any]:
    """As `button`, inside a menu; the reason stands below the label."""
    drawn: dict[str, Any] = button(label, **arguments)
    return drawn


def _attributes(given: dict[str, Any]) -> SafeString:
    wanted = {name.replace("_", "-"): value for name, value in given.items() if value not in (None, False)}
    drawn = (
        format_html(" {}", name) if value is True else format_html(' {}="{}"', name, value)
        for name, value in wanted.items()
    )
    return mark_safe("".join(drawn))


@register.inclusion_tag("_components/segments.html")
def segments(states: list[str], label: str = "Progress") -> dict[str, Any]:
    """One segment per step; each state is done, active, retrying, failed or waiting."""
    done = sum(1 for state in states if state == "done")
    return {"states": states, "label": label, "done": done, "total": len(states)}


@register.simple_tag
def time_ago(at: datetime | None) -> SafeString:
    """Relative, ticking in the browser; the absolute time with its zone on hover."""
    if at is None:
        return mark_safe("")
    at = at.astimezone(timezone.get_default_timezone())
    full, short = f"{at:%Y-%m-%d %H:%M:%S %Z}", f"{at:%d %b %H:%M}"
    # Escaped would be the same, in three times the time; lists have one in every row.
    return mark_safe(f'<time-ago datetime="{at.isoformat()}" title="{full}">{short}</time-ago>')


@register.simple_tag
def elapsed(since: datetime | None) -> SafeString:
    if since is None:
        return mark_safe("")
    seconds = (timezone.now() - since).total_seconds()
    return format_html('<elapsed-time since="{}">{}</elapsed-time>', since.isoformat(), duration(seconds))


@register.simple_tag
def count_down(until: datetime | None) -> SafeString:
    if until is None:
        return mark_safe("")
    seconds = (until - timezone.now()).total_seconds()
    return format_html('<count-down until="{}">{}</count-down>', until.isoformat(), duration(seconds))


@register.filter
def duration(seconds: float | str | None) -> str:
    """45s, 4m 08s, 1h 02m. Nothing for what templates make of a duration that is not there, an empty text."""
    if seconds is None or seconds == "":
        return ""
    whole = max(0, int(seconds))
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours}h {minutes:02}m"
    return f"{minutes}m {whole % 60:02}s" if minutes else f"{whole}s"
