"""Pages of a long list by key: a page begins after the last row of the one before.

However deep the page, the database reads no more than it shows; rows that come or go meanwhile shift nothing.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Self
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db.models import F, Func, Model, OuterRef, Q, QuerySet, TextField
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast

LONGEST_CURSOR = 500


Keys = tuple[Any, ...]


@dataclass(frozen=True)
class Order:
    """What rows are sorted by, all in one direction; the primary key decides between equal ones."""

    keys: Mapping[str, Combinable]
    descending: bool = False

    @property
    def names(self) -> list[str]:
        return [*(f"key_{name}" for name in self.keys), "pk"]

    def sort(self, rows: QuerySet[Model], after: Sequence[str] = ()) -> QuerySet[Model]:
        """With the keys as annotations; only those after the row that has these keys."""
        rows = rows.annotate(**{f"key_{name}": expression for name, expression in self.keys.items()})
        if after:
            rows = rows.filter(_beyond(self.names, after, "lt" if self.descending else "gt"))
        sign = "-" if self.descending else ""
        return rows.order_by(*(f"{sign}{name}" for name in self.names))

    def keys_of(self, rows: QuerySet[Model], *, after: Sequence[str], most: int) -> Iterator[Keys]:
        yield from self.sort(rows, after).values_list(*self.names)[:most]


@dataclass(frozen=True)
class GroupedOrder:
    """Rows by what they belong to in another table, those of one group by `key`, a text.

    An index on the foreign key and `key` gives each group's first rows, however many rows there are: sorting
    by a column of a joined table reads them all. Rows that belong to nothing come first.
    """

    group: str
    groups: QuerySet[Any]
    group_keys: Mapping[str, Combinable]
    key: str = "name"
    descending: bool = False

    @property
    def names(self) -> list[str]:
        return [*self._outer.names, *self._inner.names]

    @property
    def _outer(self) -> Order:
        return Order(self.group_keys, self.descending)

    @property
    def _inner(self) -> Order:
        return Order({self.key: F(self.key)}, self.descending)

    def keys_of(self, rows: QuerySet[Model], *, after: Sequence[str], most: int) -> Iterator[Keys]:
        of_nothing = ("",) * len(self._outer.names)
        outer, inner = tuple(after[: len(of_nothing)]), after[len(of_nothing) :]
        if outer and outer != of_nothing:
            yield from self._of_one(rows, outer, outer[-1], inner, most)
        elif outer or not self.descending:
            yield from self._of_one(rows, of_nothing, None, inner, most)
        if outer == of_nothing and self.descending:
            return
        yield from self._of_groups(rows, () if outer == of_nothing else outer, most)
        if self.descending:
            yield from self._of_one(rows, of_nothing, None, (), most)

    def _of_one(
        self, rows: QuerySet[Model], outer: Keys, group: str | None, after: Sequence[str], most: int
    ) -> Iterator[Keys]:
        if group is not None or rows.model._meta.get_field(self.group).null:
            of_group = rows.filter(**{self.group: group})
            yield from ((*outer, *keys) for keys in self._inner.keys_of(of_group, after=after, most=most))

    def _of_groups(self, rows: QuerySet[Model], after: Sequence[str], most: int) -> Iterator[Keys]:
        of_group = self._inner.sort(rows.filter(**{self.group: OuterRef("pk")}))
        keys = Func(
            F(self.key),
            Cast("pk", TextField()),
            template="ARRAY[%(expressions)s]",
            output_field=ArrayField(TextField()),
        )
        pairs = ArraySubquery(of_group.values_list(keys)[:most])
        for *outer, rows_of_group in self._outer.sort(self.groups, after).values_list(
            *self._outer.names, pairs
        ):
            yield from ((*outer, key, UUID(pk)) for key, pk in rows_of_group)


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


def key_page(rows: QuerySet[Model], order: "Order | GroupedOrder", *, at: str, size: int) -> KeyPage:
    """The page that the cursor `at` names; the first one when it names none (any more)."""
    cursor = Cursor.decode(at) if at else None
    if cursor is not None and len(cursor.values) == len(order.names):
        try:
            page = _page(rows, order, cursor, size)
        except (ValidationError, ValueError):
            return _page(rows, order, None, size)
        if page.ids:
            return page
    return _page(rows, order, None, size)


def _page(rows: QuerySet[Model], order: "Order | GroupedOrder", cursor: Cursor | None, size: int) -> KeyPage:
    backwards = cursor is not None and cursor.backwards
    seen = cursor.values if cursor is not None else ()
    wanted = replace(order, descending=order.descending != backwards)
    found = list(islice(wanted.keys_of(rows, after=seen, most=size + 1), size + 1))
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
