"""The values of a layer: YAML over the pack's defaults, checked against the pack's schema line by line."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from clusters.profiles.packs import PackVersion
from clusters.profiles.placeholders import ABSENT, UNKNOWN, Filled, NoSuchValue, fill, placeholders_in
from clusters.profiles.schemas import schema_problems
from clusters.profiles.variables import VARIABLE_PREFIX, Variable, reason_against, typed_value
from clusters.profiles.yaml_text import Problem, Unreadable, line_of, read

_SYSTEM_PREFIX = "spectro."


def check_values(
    pack_version: PackVersion,
    text: str,
    variables: Sequence[Variable] = (),
    given: Mapping[str, str] | None = None,
) -> list[Problem]:
    """What is wrong, by line; empty if the layer can be used.

    `given` are the values of variables. With None they come later: a variable stands for its default, and
    where it has none, that part of the document is not checked. Nor is it where `check_variables` finds
    that the value is missing or wrong.
    """
    try:
        filled = _fill(text, variables, given)
    except Unreadable as error:
        return [error.problem]
    merged = merge(_defaults(pack_version), filled.data)
    return sorted({*filled.problems, *schema_problems(pack_version.schema, merged, filled)})


def merged_values(
    pack_version: PackVersion,
    *texts: str,
    variables: Sequence[Variable] = (),
    given: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The pack's defaults under each text in turn, variables filled in. Raise Unreadable."""
    merged = _defaults(pack_version)
    for text in texts:
        filled = _fill(text, variables, given)
        if filled.problems:
            raise Unreadable(filled.problems[0].line, filled.problems[0].message)
        merged = merge(merged, filled.data)
    return merged


def variables_used(text: str) -> set[str]:
    """Names of variables in a text, in whatever state it is."""
    try:
        root = read(text)
    except Unreadable:
        return set()
    paths = (found.path for found in placeholders_in(root)) if root else ()
    return {path.removeprefix(VARIABLE_PREFIX) for path in paths if path.startswith(VARIABLE_PREFIX)}


def unused_variables(variables: Iterable[Variable], texts: Iterable[str]) -> list[Variable]:
    used: set[str] = set().union(*(variables_used(text) for text in texts))
    return [variable for variable in variables if variable.name not in used]


def merge(under: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings go into each other, everything else replaces; null takes a default away."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(below, dict):
            merged[key] = merge(below, value)
        else:
            merged[key] = value
    return merged


def _defaults(pack_version: PackVersion) -> dict[str, Any]:
    return dict(_fill(pack_version.default_values, (), None).data)


def _fill(text: str, variables: Sequence[Variable], given: Mapping[str, str] | None) -> Filled:
    root = read(text)
    filled = fill(root, _Lookup(variables, given), prefix=_SYSTEM_PREFIX)
    if filled.data is None:
        filled.data = {}
    if not isinstance(filled.data, dict):
        raise Unreadable(line_of(root) if root else 1, "Values are names with a colon and a value each.")
    return filled


class _Lookup:
    def __init__(self, variables: Sequence[Variable], given: Mapping[str, str] | None) -> None:
        self.variables = {variable.name: variable for variable in variables}
        self.given = given

    def __call__(self, path: str) -> Any:
        if not path.startswith(VARIABLE_PREFIX):
            raise NoSuchValue(f"Only variables can stand here: {{{{.{VARIABLE_PREFIX}NAME}}}}.")
        name = path.removeprefix(VARIABLE_PREFIX)
        if name not in self.variables:
            raise NoSuchValue(f"The variable {name} is not defined.")
        variable = self.variables[name]
        value = (self.given or {}).get(name, "") or variable.default
        if not value:
            return UNKNOWN if self.given is None or variable.required else ABSENT
        if reason_against(variable, value):
            return UNKNOWN
        return typed_value(variable, value)
