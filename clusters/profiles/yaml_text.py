"""YAML that people typed: read without making objects of it, and with the line of everything in it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

LARGEST_TEXT = 64 * 1024
_SHORT = 8 * 1024
_DEEPEST = 50
_TAG = "tag:yaml.org,2002:"


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


class _QuickLoader(yaml.CSafeLoader):
    """Ten times as fast, but it names neither the character nor, at the text's end, the line of a mistake."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


def read(text: str, *, largest: int = LARGEST_TEXT) -> Node | None:
    """The one document in the text, None if it is empty; nobody changes it. Raise Unreadable."""
    if len(text.encode()) > largest:
        raise Unreadable(1, f"The text is longer than {largest // 1024} KiB.")
    return _read_again(text) if len(text) <= _SHORT else _read(text)


def _read(text: str) -> Node | None:
    try:
        return _composed(text, _QuickLoader)
    except yaml.YAMLError:
        pass
    try:
        return _composed(text, _Loader)
    except yaml.YAMLError as error:
        raise Unreadable(*_told(error)) from None


def _composed(text: str, loader: type[yaml.SafeLoader | yaml.CSafeLoader]) -> Node | None:
    _refuse_what_grows(text, loader)
    node: Node | None = yaml.compose(text, Loader=loader)
    if node is not None:
        _refuse_double_keys(node)
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


def _refuse_what_grows(text: str, loader: type[yaml.SafeLoader | yaml.CSafeLoader]) -> None:
    """An alias of an alias of an alias is a small text that becomes a huge document; depth is recursion."""
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise Unreadable(_line_at(event.start_mark), "The text is nested too deeply.")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise Unreadable(_line_at(event.start_mark), "Anchors and aliases (& and *) are not taken here.")
        if getattr(event, "tag", None):
            raise Unreadable(_line_at(event.start_mark), "Tags (! and a name) are not taken here.")


def _refuse_double_keys(root: Node) -> None:
    for node, _ in lines_of(root):
        if isinstance(node, MappingNode):
            _check_keys(key for key, _ in node.value if isinstance(key, ScalarNode))


def _check_keys(keys: Iterable[ScalarNode]) -> None:
    seen: set[str] = set()
    for key in keys:
        if key.value in seen:
            raise Unreadable(line_of(key), f"{key.value} stands here twice.")
        seen.add(key.value)


def _told(error: yaml.YAMLError) -> tuple[int, str]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    # PyYAML's sentence says what it found; it quotes single characters and names, never values.
    found = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    return _line_at(mark), f"This is not YAML: {found}."
