"""YAML that people typed: read without making objects of it, and with the line of everything in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

LARGEST_TEXT = 64 * 1024
_SHORT = 8 * 1024
_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = {_TAG + name for name in ("str", "int", "float", "bool", "null", "map", "seq")}


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong in which line. The message never quotes a value: it may be a secret."""

    line: int
    message: str


class Unreadable(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(line, message)


class _Loader(yaml.SafeLoader):
    """Knows numbers, booleans and null as Kubernetes writes them: no dates, no "yes", no 1:30 as a number."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, object]]] = {}


def _resolve(kind: str, pattern: str, first: list[str]) -> None:
    _Loader.add_implicit_resolver(_TAG + kind, re.compile(rf"^(?:{pattern})$"), first)


_resolve("bool", "true|True|TRUE|false|False|FALSE", list("tTfF"))
_resolve("null", "~|null|Null|NULL|", [*"~nN", ""])
_resolve("int", "[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+", list("-+0123456789"))
_resolve(
    "float",
    r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+",
    list("-+.0123456789"),
)


def read(text: str, *, largest: int = LARGEST_TEXT) -> Node | None:
    """The one document in the text, None if it is empty; nobody changes it. Raise Unreadable."""
    if len(text.encode()) > largest:
        raise Unreadable(1, f"The text is longer than {largest // 1024} KiB.")
    return _read_again(text) if len(text) <= _SHORT else _read(text)


def _read(text: str) -> Node | None:
    try:
        _refuse_anchors(text)
        node: Node | None = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise Unreadable(*_told(error)) from None
    except RecursionError:
        raise Unreadable(1, "The text is nested too deeply.") from None
    if node is not None:
        _check(node)
    return node


# The same texts of packs are read for every cluster; long ones would fill the memory.
_read_again = lru_cache(maxsize=256)(_read)


def lines_of(node: Node) -> Iterator[tuple[Node, int]]:
    """All nodes inside, each with its line."""
    yield node, line_of(node)
    if isinstance(node, SequenceNode):
        for item in node.value:
            yield from lines_of(item)
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            yield from lines_of(key)
            yield from lines_of(value)


def line_of(node: Node) -> int:
    return _line_at(node.start_mark)


def _line_at(mark: Any) -> int:
    return mark.line + 1 if mark else 1


def scalar_value(node: ScalarNode) -> object:
    kind, text = node.tag.removeprefix(_TAG), str(node.value)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int":
        return int(text, 16) if text.startswith("0x") else int(text)
    return float(text) if kind == "float" else text


def _refuse_anchors(text: str) -> None:
    """An alias of an alias of an alias is a small text that becomes a huge document."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise Unreadable(_line_at(event.start_mark), "Anchors and aliases (& and *) are not taken here.")


def _check(root: Node) -> None:
    for node, line in lines_of(root):
        if node.tag not in _PLAIN_TAGS:
            raise Unreadable(line, "Tags (! and a name) are not taken here.")
        if isinstance(node, MappingNode):
            _refuse_double_keys(node)


def _refuse_double_keys(node: MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, ScalarNode):
            continue
        if key.value in seen:
            raise Unreadable(line_of(key), f"{key.value} stands here twice.")
        seen.add(key.value)


def _told(error: yaml.YAMLError) -> tuple[int, str]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    # PyYAML's sentence says what it found; it quotes single characters and names, never values.
    found = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    return _line_at(mark), f"This is not YAML: {found}."
