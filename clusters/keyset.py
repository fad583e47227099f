"""Pages of a long list by key: a page begins after the last row of the one before.

However deep the page, the database reads no more than it shows; rows that come or go meanwhile shift nothing.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.db.models.expressions import Combinable

LONGEST_CURSOR = 500


@dataclass(frozen=True)
class Order:
    """What rows are sorted by, all in one direction; the primary key decides between equal ones."""

    keys: Mapping[str, Combinable]
    descending: bool = False

    @property
    def names(self) -> list[str]:
        return [*(f"key_{name}" for name in self.keys), "pk"]

    def annotations(self) -> dict[str, Combinable]:
        return {f"key_{name}": expression for name, expression in self.keys.items()}


@dataclass(frozen=True)
class Cursor:
    """The keys of a row that was seen last; backwards asks for the page before it."""

    values: tuple[str, ...]
    backwards: bool = False

    def encode(self) -> str:
        text = json.dumps([int(self.backwards), *self.values], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Self | None:
        """None for what is no cursor: people edit addresses."""
        try:
            padded = text[:LONGEST_CURSOR] + "=" * (-len(text[:LONGEST_CURSOR]) % 4)
            backwards, *values = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        except (binascii.Error, UnicodeError, ValueError, TypeError):
            return None
        if not values or not all(isinstance(value, str) and "\x00" not in value for value in values):
            return None
        return cls(tuple(values), bool(backwards))


@dataclass(frozen=True)
class KeyPage:
    """Primary keys in their order; the cursors are empty where the list ends."""

    ids: list[Any]
    previous: str
    next: str


def key_page(rows: QuerySet[Model], order: Order, *, at: str, size: int) -> KeyPage:
    """The page that the cursor `at` names; the first one when it names none (any more)."""
    cursor = Cursor.decode(at) if at else None
    if cursor is not None and len(cursor.values) == len(order.names):
        try:
            page = _page(rows, order, cursor, size)
        except ValidationError:
            return _page(rows, order, None, size)
        if page.ids:
            return page
    return _page(rows, order, None, size)


def _page(rows: QuerySet[Model], order: Order, cursor: Cursor | None, size: int) -> KeyPage:
    backwards = cursor is not None and cursor.backwards
    descending = order.descending != backwards
    wanted = rows.annotate(**order.annotations())
    if cursor is not None:
        wanted = wanted.filter(_beyond(order.names, cursor.values, "lt" if descending else "gt"))
    sign = "-" if descending else ""
    ordered = wanted.order_by(*(f"{sign}{name}" for name in order.names))
    found = list(ordered.values_list(*order.names)[: size + 1])
    has_more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    if not found:
        return KeyPage([], "", "")
    has_previous, has_next = (has_more, True) if backwards else (cursor is not None, has_more)
    return KeyPage(
        [row[-1] for row in found],
        previous=_cursor(found[0], backwards=True) if has_previous else "",
        next=_cursor(found[-1]) if has_next else "",
    )


def _beyond(names: Sequence[str], values: Sequence[str], comparison: str) -> Q:
    """Rows after these keys, said so that an index on the first key narrows the search."""
    further = Q(**{f"{names[-1]}__{comparison}": values[-1]})
    for name, value in reversed(list(zip(names[:-1], values[:-1], strict=True))):
        further = Q(**{f"{name}__{comparison}e": value}) & (Q(**{f"{name}__{comparison}": value}) | further)
    return further


def _cursor(row: Sequence[Any], *, backwards: bool = False) -> str:
    return Cursor(tuple(_text(value) for value in row), backwards).encode()


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
