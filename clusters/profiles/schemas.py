"""What JSON Schema finds, as sentences with a line: they name keys and what is wanted, never a value."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from clusters.profiles.placeholders import Filled, Path
from clusters.profiles.yaml_text import Problem

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a list of names and values",
    "array": "a list",
    "null": "empty",
}
_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("ipv4", raises=ValueError)
def _is_ipv4(value: object) -> bool:
    return not isinstance(value, str) or bool(ipaddress.IPv4Address(value))


@_FORMATS.checks("cidr", raises=ValueError)
def _is_cidr(value: object) -> bool:
    return not isinstance(value, str) or ("/" in value and bool(ipaddress.ip_network(value)))


@_FORMATS.checks("ip-range", raises=ValueError)
def _is_range(value: object) -> bool:
    """A network, or two addresses with a dash."""
    if not isinstance(value, str) or "-" not in value:
        return _is_cidr(value)
    first, last = (ipaddress.IPv4Address(part.strip()) for part in value.split("-", 1))
    return first <= last


@_FORMATS.checks("web-address")
def _is_web_address(value: object) -> bool:
    return not isinstance(value, str) or bool(re.fullmatch(r"(https?://\S+)?", value))


def schema_problems(schema: Mapping[str, Any], data: Any, filled: Filled) -> Iterator[Problem]:
    """`data` may hold more than the text that `filled` was made from: its defaults."""
    validator = Draft202012Validator(schema, format_checker=_FORMATS)
    for error in validator.iter_errors(data):
        path: Path = tuple(error.absolute_path)
        if not _hangs_on_unknown(error, path, filled.unknown):
            for key, message in _told(error):
                yield Problem(_line((*path, key) if key else path, filled.lines), message)


def _hangs_on_unknown(error: ValidationError, path: Path, unknown: Iterable[Path]) -> bool:
    is_choice = error.validator in ("anyOf", "oneOf", "not")
    return any(path[: len(gap)] == gap or (is_choice and gap[: len(path)] == path) for gap in unknown)


def _line(path: Path, lines: Mapping[Path, int]) -> int:
    """Of the part itself, or of the nearest around it that the person typed."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 1


def _told(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Pairs of the key that the message is about, if it is one below, and the message."""
    where = _name(tuple(error.absolute_path))
    wanted: Any = error.validator_value
    instance: Any = error.instance
    schema: Any = error.schema
    if error.validator == "required":
        for key in (key for key in wanted if key not in instance):
            yield "", f"{_join(where, key)} is missing."
    elif error.validator == "additionalProperties":
        for key in (key for key in instance if key not in schema.get("properties", {})):
            yield key, f"{_join(where, key)} is not known here."
    else:
        tell = _SENTENCES.get(str(error.validator), lambda value: "does not fit")
        yield "", f"{where or 'The text'} {tell(wanted)}{_hint(str(error.validator), schema)}."


def _hint(validator: str, schema: Any) -> str:
    """Schemas say in a `description` what a pattern or a format means."""
    if validator in ("pattern", "format", "anyOf", "oneOf") and "description" in schema:
        return f": {schema['description'].rstrip('.')}"
    return ""


def _kinds(value: Any) -> str:
    kinds = [value] if isinstance(value, str) else value
    return "must be " + " or ".join(_TYPES[kind] for kind in kinds)


_SENTENCES: dict[str, Callable[[Any], str]] = {
    "type": _kinds,
    "enum": lambda value: "must be one of " + ", ".join(str(choice) for choice in value),
    "const": lambda value: f"must be {value}",
    "minimum": lambda value: f"must be at least {value}",
    "maximum": lambda value: f"must be at most {value}",
    "minLength": lambda value: "must not be empty" if value == 1 else f"needs at least {value} characters",
    "maxLength": lambda value: f"has more than {value} characters",
    "minItems": lambda value: f"needs at least {value} entries" if value > 1 else "needs an entry",
    "maxItems": lambda value: f"has more than {value} entries",
    "uniqueItems": lambda value: "has an entry twice",
    "pattern": lambda value: "does not have the right form",
    "format": lambda value: "does not have the right form",
    "propertyNames": lambda value: "has a name that is not allowed",
}


def _name(path: Path) -> str:
    name = ""
    for part in path:
        name = f"{name}[{part}]" if isinstance(part, int) else _join(name, part)
    return name


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
