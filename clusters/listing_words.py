"""How the filter and the columns of the cluster list are shown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from clusters.listing import ListFilter

# Heading, and what it sorts by; empty for a column without an order.
_COLUMNS = (
    ("Name", "name"),
    ("State", "state"),
    ("Health", "health"),
    ("Profile", "profile"),
    ("Kubernetes", "version"),
    ("Nodes", ""),
    ("Gateway", "gateway"),
    ("Project", "project"),
    ("Tags", ""),
    ("Created", "created"),
)


@dataclass(frozen=True)
class Column:
    label: str
    key: str
    # The query string that sorts by it, and how it is sorted now: "ascending", "descending" or empty.
    query: str
    direction: str


@dataclass(frozen=True)
class Chip:
    """One condition of the filter, and the query string without it."""

    label: str
    value: str
    query: str


def columns_of(wanted: ListFilter) -> list[Column]:
    return [
        Column(label, key, wanted.sorted_by(key).query if key else "", _direction(wanted, key))
        for label, key in _COLUMNS
    ]


def chips_of(wanted: ListFilter, choices: Mapping[str, Iterable[Any]]) -> list[Chip]:
    """`choices` has the projects, gateways and profiles to name ids by."""
    states = [
        Chip("State", state, replace(wanted, states=tuple(s for s in wanted.states if s != state)).query)
        for state in wanted.states
    ]
    named: list[tuple[str, str, dict[str, Any]]] = [
        ("Search", wanted.text, {"text": ""}),
        ("Health", wanted.health, {"health": ""}),
        ("Project", _name_of(wanted.project, choices["projects"]), {"project": None}),
        ("Gateway", _name_of(wanted.gateway, choices["gateways"]), {"gateway": None}),
        ("Profile", _name_of(wanted.profile, choices["profiles"]), {"profile": None}),
        ("Tag", wanted.tag, {"tag": ""}),
    ]
    chips = [Chip(label, value, replace(wanted, **without).query) for label, value, without in named if value]
    return [*chips[:1], *states, *chips[1:]] if wanted.text else [*states, *chips]


def _direction(wanted: ListFilter, key: str) -> str:
    if not key or wanted.sort.removeprefix("-") != key:
        return ""
    return "descending" if wanted.sort.startswith("-") else "ascending"


def _name_of(wanted: UUID | None, things: Iterable[Any]) -> str:
    if wanted is None:
        return ""
    return next((thing.name for thing in things if thing.pk == wanted), "not found")
