"""Rows of a list as a file: CSV for spreadsheets, JSON for programs."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.http import Http404, StreamingHttpResponse

# A spreadsheet takes a cell that begins like this for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Row = Mapping[str, Any]


class _Echo:
    """What csv writes to: gives back what it is given."""

    def write(self, text: str) -> str:
        return text


def download(rows: Iterable[Row], *, columns: list[str], kind: str, name: str) -> StreamingHttpResponse:
    """Streamed, so that a long list is never in memory as a whole."""
    if kind == "csv":
        response = StreamingHttpResponse(_csv(rows, columns), content_type="text/csv; charset=utf-8")
    elif kind == "json":
        response = StreamingHttpResponse(_json(rows), content_type="application/json")
    else:
        raise Http404("There is CSV and JSON.")
    response["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    response["Cache-Control"] = "private, no-store"
    return response


def _csv(rows: Iterable[Row], columns: list[str]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(columns)
    for row in rows:
        yield writer.writerow([_cell(row[column]) for column in columns])


def _cell(value: Any) -> str:
    text = " ".join(value) if isinstance(value, list | tuple) else "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _json(rows: Iterable[Row]) -> Iterator[str]:
    yield "["
    for number, row in enumerate(rows):
        yield (",\n" if number else "\n") + json.dumps(row)
    yield "\n]\n"
