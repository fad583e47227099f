"""Variables of a profile: what its values leave open, asked for when a cluster is deployed."""

import base64
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import re2

VARIABLE_PREFIX = "spectro.var."
LONGEST_VALUE = 4096
LONGEST_PATTERN = 256
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")


class VariableType(StrEnum):
    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    IPV4 = "ipv4"
    IPV4_CIDR = "ipv4cidr"
    IPV6 = "ipv6"
    VERSION = "version"
    BASE64 = "base64"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    VariableType.STRING: "Text",
    VariableType.NUMBER: "Number",
    VariableType.BOOLEAN: "True or false",
    VariableType.IPV4: "IPv4 address",
    VariableType.IPV4_CIDR: "IPv4 network",
    VariableType.IPV6: "IPv6 address",
    VariableType.VERSION: "Version",
    VariableType.BASE64: "Base64",
}


@dataclass(frozen=True)
class Variable:
    name: str
    display_name: str = ""
    type: VariableType = VariableType.STRING
    required: bool = False
    default: str = ""
    regex: str = ""
    masked: bool = False
    description: str = ""

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "Variable":
        return cls(**{**row, "type": VariableType(row.get("type", VariableType.STRING))})

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "type": str(self.type)}

    @property
    def label(self) -> str:
        return self.display_name or self.name

    @property
    def needs_value(self) -> bool:
        """Whoever deploys has to give a value."""
        return self.required and not self.default

    @property
    def reason_without(self) -> str:
        return f"{self.label} is needed."

    @property
    def placeholder(self) -> str:
        return f"{{{{.{VARIABLE_PREFIX}{self.name}}}}}"


def read_variables(rows: Iterable[Mapping[str, Any]]) -> tuple[Variable, ...]:
    """As `ProfileVersion.variables` stores them."""
    return tuple(Variable.from_json(row) for row in rows)


def check_definition(variable: Variable, *, others: Iterable[str] = ()) -> dict[str, str]:
    """By field: what is wrong with it."""
    errors = {}
    if not _NAME.fullmatch(variable.name):
        errors["name"] = "Use letters, digits and underscores, beginning with a letter; at most 63."
    elif variable.name in others:
        errors["name"] = "Another variable has this name."
    if variable.regex and (reason := _reason_against_pattern(variable.regex)):
        errors["regex"] = reason
    if variable.masked and variable.default:
        errors["default"] = "A masked variable has no default: everybody who sees the profile could read it."
    elif variable.default and "regex" not in errors and (error := reason_against(variable, variable.default)):
        errors["default"] = error
    return errors


def check_variables(definitions: Sequence[Variable], given: Mapping[str, str]) -> dict[str, str]:
    """By variable's name: what is wrong with the value given for it. The sentences quote no value."""
    errors = {}
    for variable in definitions:
        value = given.get(variable.name, "") or variable.default
        if not value:
            if variable.required:
                errors[variable.name] = variable.reason_without
        elif error := reason_against(variable, value):
            errors[variable.name] = error
    known = {variable.name for variable in definitions}
    errors |= {name: "The profile has no such variable." for name in given if name not in known}
    return errors


def typed_value(variable: Variable, value: str) -> Any:
    """What stands in the document instead of the placeholder, for a value that fits."""
    if variable.type is VariableType.NUMBER:
        return int(value) if re.fullmatch(r"[-+]?\d+", value) else float(value)
    if variable.type is VariableType.BOOLEAN:
        return value == "true"
    return value


def reason_against(variable: Variable, value: str) -> str:
    """Empty if the value fits."""
    if len(value) > LONGEST_VALUE:
        return f"At most {LONGEST_VALUE} characters."
    is_valid, form = _TYPES[variable.type]
    if not is_valid(value):
        return form
    if variable.regex and not _pattern(variable.regex).fullmatch(value):
        return f"It does not fit the pattern {variable.regex}."
    return ""


def _reason_against_pattern(pattern: str) -> str:
    if len(pattern) > LONGEST_PATTERN:
        return f"At most {LONGEST_PATTERN} characters."
    try:
        _pattern(pattern)
    except re2.error:
        return "This is not a pattern in RE2's syntax, which Go uses too."
    return ""


def _pattern(pattern: str) -> Any:
    # RE2 takes linear time whatever the pattern; Python's own engine can be made to run for days.
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def _accepts(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def is_valid(value: str) -> bool:
        try:
            parse(value)
        except ValueError:
            return False
        return True

    return is_valid


def _decode(value: str) -> bytes:
    return base64.b64decode(value, validate=True)


def _cidr(value: str) -> object:
    if "/" not in value:
        raise ValueError
    return ipaddress.IPv4Network(value)


_TYPES: dict[VariableType, tuple[Callable[[str], object], str]] = {
    VariableType.STRING: (lambda value: True, ""),
    VariableType.NUMBER: (re.compile(r"[-+]?\d{1,15}(\.\d{1,15})?").fullmatch, "Enter a number."),
    VariableType.BOOLEAN: (("true", "false").__contains__, "Enter true or false."),
    VariableType.IPV4: (_accepts(ipaddress.IPv4Address), "Enter an IPv4 address, such as 10.10.0.7."),
    VariableType.IPV4_CIDR: (_accepts(_cidr), "Enter an IPv4 network, such as 10.10.0.0/24."),
    VariableType.IPV6: (_accepts(ipaddress.IPv6Address), "Enter an IPv6 address, such as fd00::7."),
    VariableType.VERSION: (
        re.compile(r"v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?").fullmatch,
        "Enter a version, such as 1.2.3.",
    ),
    VariableType.BASE64: (_accepts(_decode), "Enter Base64."),
}
