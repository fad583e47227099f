"""What is different between two versions, layer by layer, as lines."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clusters.profiles.packs import NoSuchPack, find_pack
from clusters.profiles.render import Layer
from clusters.profiles.variables import Variable
from palette_portal.bootstrap.text import dump_documents


@dataclass(frozen=True)
class Line:
    """`mark` is "+", "-", " " or "@" for the head of a hunk."""

    mark: str
    text: str


@dataclass(frozen=True)
class Difference:
    """Of one layer, or of the variables; `old` and `new` name pack versions, empty where there is none."""

    title: str
    old: str
    new: str
    lines: tuple[Line, ...] = ()

    @property
    def word(self) -> str:
        if not self.old:
            return "added"
        return "changed" if self.new else "removed"


def differences(
    old: Sequence[Layer],
    new: Sequence[Layer],
    *,
    old_variables: Sequence[Variable] = (),
    new_variables: Sequence[Variable] = (),
) -> list[Difference]:
    """Only what differs. A layer is the same one if its kind has only one, else if its pack is."""
    before, after = _by_slot(old), _by_slot(new)
    found = [_difference(before.get(slot), after.get(slot)) for slot in {**after, **before}]
    return [item for item in (*found, *_of_variables(old_variables, new_variables)) if item]


def diff_lines(old: str, new: str) -> tuple[Line, ...]:
    made = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=3)
    return tuple(Line(line[0], line[1:] if line[0] != "@" else line) for line in list(made)[2:])


def text_of(layer: Layer) -> str:
    """The values that count when nothing was typed are the pack's."""
    if layer.values:
        return layer.values
    try:
        return find_pack(layer.pack, layer.pack_version).default_values
    except NoSuchPack:
        return ""


def _by_slot(layers: Sequence[Layer]) -> dict[str, Layer]:
    return {layer.pack if layer.kind == "add-on" else layer.kind: layer for layer in layers}


def _difference(old: Layer | None, new: Layer | None) -> Difference | None:
    names = _title(old), _title(new)
    lines = diff_lines(text_of(old) if old else "", text_of(new) if new else "")
    if names[0] == names[1] and not lines:
        return None
    return Difference(names[1] or names[0], *names, lines)


def _title(layer: Layer | None) -> str:
    if layer is None:
        return ""
    try:
        return str(find_pack(layer.pack, layer.pack_version))
    except NoSuchPack:
        return f"{layer.pack} {layer.pack_version}"


def _of_variables(old: Sequence[Variable], new: Sequence[Variable]) -> Iterator[Difference]:
    lines = diff_lines(_as_text(old), _as_text(new))
    if lines:
        yield Difference("Variables", "Variables", "Variables", lines)


def _as_text(variables: Sequence[Variable]) -> str:
    rows: Mapping[str, Any] = {variable.name: variable.as_json() for variable in variables}
    return dump_documents(dict(rows)) if rows else ""
