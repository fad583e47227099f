"""Placeholders in YAML: `{{.path}}`. They are filled in after parsing, so no value can change the structure.

Without quotes a placeholder becomes what it stands for, with its type; inside text it becomes text.
`{{.path | quoted}}` becomes text in double quotes with escapes, for files that need it.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from clusters.profiles.yaml_text import Problem, line_of, lines_of, scalar_value

_EXPRESSION = re.compile(r"\{\{\s*\.([\w.-]+?)\s*(\|\s*quoted\s*)?\}\}")

Path = tuple[str | int, ...]


class Nothing:
    """In the place of a value; as text it is empty."""

    def __str__(self) -> str:
        return ""


# It is given later.
UNKNOWN = Nothing()
# It was not given: a key or an entry without quotes around it is left out.
ABSENT = Nothing()


class NoSuchValue(Exception):
    """The message is a sentence about the placeholder."""


@dataclass(frozen=True)
class Placeholder:
    path: str
    line: int


def placeholders_in(root: Node) -> Iterator[Placeholder]:
    for node, line in lines_of(root):
        if path := _whole(node):
            yield Placeholder(path, line)
        elif _is_text(node):
            for offset, path in _inside(node):
                yield Placeholder(path, line + offset)


@dataclass
class Filled:
    """The document as plain data, with the line of each part and the parts that are not known yet."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    unknown: set[Path] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)


def fill(root: Node | None, look_up: Callable[[str], Any], *, prefix: str = "") -> Filled:
    """Replace the placeholders that begin with the prefix; `look_up` raises NoSuchValue."""
    filler = _Filler(look_up, prefix)
    if root is not None:
        filler.filled.data = filler.build(root, (), line_of(root))
    return filler.filled


class _Filler:
    def __init__(self, look_up: Callable[[str], Any], prefix: str) -> None:
        self.look_up = look_up
        self.prefix = prefix
        self.filled = Filled()

    def build(self, node: Node, path: Path, line: int) -> Any:
        self.filled.lines[path] = line
        whole = _whole(node)
        if whole.startswith(self.prefix) and whole:
            return self._value(whole, path, line)
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            items = (
                self.build(item, (*path, number), line_of(item)) for number, item in enumerate(node.value)
            )
            return [item for item in items if item is not ABSENT]
        return self._scalar(node, path, line)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        made = {
            name: self.build(value, (*path, name), line_of(key))
            for key, value in node.value
            if (name := self._key(key)) is not None
        }
        return {name: value for name, value in made.items() if value is not ABSENT}

    def _key(self, node: Node) -> str | None:
        if isinstance(node, ScalarNode):
            named = [
                matched for matched in _EXPRESSION.finditer(node.value) if matched[1].startswith(self.prefix)
            ]
            if not named:
                return str(node.value)
            if not self.prefix:
                return str(self._scalar(node, (), line_of(node)))
        self.filled.problems.append(Problem(line_of(node), "A key is plain text, without a variable."))
        return None

    def _scalar(self, node: Node, path: Path, line: int) -> Any:
        assert isinstance(node, ScalarNode)
        value = scalar_value(node)
        if not isinstance(value, str):
            return value
        start = line_of(node)

        def replace(matched: re.Match[str]) -> str:
            if not matched[1].startswith(self.prefix):
                return matched[0]
            found = self._value(matched[1], path, start + value.count("\n", 0, matched.start()))
            text = _as_text(found)
            return json.dumps(text, ensure_ascii=False) if matched[2] else text

        return _EXPRESSION.sub(replace, value)

    def _value(self, name: str, path: Path, line: int) -> Any:
        try:
            value = self.look_up(name)
        except NoSuchValue as error:
            self.filled.problems.append(Problem(line, str(error)))
            value = UNKNOWN
        if value is UNKNOWN:
            self.filled.unknown.add(path)
        return value


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


def _is_text(node: Node) -> bool:
    return isinstance(node, ScalarNode) and isinstance(scalar_value(node), str)


def _inside(node: Node) -> Iterator[tuple[int, str]]:
    for matched in _EXPRESSION.finditer(node.value):
        yield node.value.count("\n", 0, matched.start()), matched[1]


def _whole(node: Node) -> str:
    """YAML takes {{.name}} without quotes for a mapping whose only key is a mapping with the key .name."""
    inner = _only_key(node)
    name = _only_key(inner) if inner is not None else None
    if isinstance(name, ScalarNode) and (matched := re.fullmatch(r"\.([\w.-]+)", name.value)):
        return matched[1]
    return ""


def _only_key(node: Node) -> Node | None:
    if not isinstance(node, MappingNode) or not node.flow_style or len(node.value) != 1:
        return None
    key, value = node.value[0]
    is_empty = isinstance(value, ScalarNode) and value.value == "" and not value.style
    return key if is_empty else None
