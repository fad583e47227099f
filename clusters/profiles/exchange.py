"""A version as one YAML file: to keep in git, to carry to another portal. Secrets are never in it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from clusters.profiles.checks import KINDS
from clusters.profiles.models import LayerKind, ProfileType
from clusters.profiles.packs import NoSuchPack, find_pack
from clusters.profiles.placeholders import UNKNOWN, Filled, fill
from clusters.profiles.render import Layer, PlainLayer
from clusters.profiles.schemas import schema_problems
from clusters.profiles.values import check_values
from clusters.profiles.variables import Variable, VariableType, check_definition, read_variables
from clusters.profiles.yaml_text import Problem, Unreadable, line_of, read
from palette_portal.bootstrap.text import dump_documents

FORMAT = "palette-portal/v1"
LARGEST_FILE = 512 * 1024

_TEXT = {"type": "string", "maxLength": 4096}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["apiVersion", "kind", "name", "version", "type", "layers"],
    "properties": {
        "apiVersion": {"const": FORMAT},
        "kind": {"const": "ClusterProfile"},
        "name": {"type": "string", "minLength": 1, "maxLength": 63},
        "description": {"type": "string", "maxLength": 1000},
        "version": {
            "type": "string",
            "pattern": r"^(0|[1-9]\d{0,5})(\.(0|[1-9]\d{0,5})){2}$",
            "description": "three numbers such as 1.0.0",
        },
        "type": {"enum": list(ProfileType.values)},
        "variables": {
            "type": "array",
            "maxItems": 100,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name"],
                "properties": {
                    "name": _TEXT,
                    "display_name": _TEXT,
                    "type": {"enum": [str(kind) for kind in VariableType]},
                    "required": {"type": "boolean"},
                    "default": _TEXT,
                    "regex": _TEXT,
                    "masked": {"type": "boolean"},
                    "description": _TEXT,
                },
            },
        },
        "layers": {
            "type": "array",
            "maxItems": 50,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["kind", "pack", "version"],
                "properties": {
                    "kind": {"enum": list(LayerKind.values)},
                    "pack": {"type": "string"},
                    "version": {"type": "string"},
                    "values": {"type": "string"},
                },
            },
        },
    },
}


@dataclass(frozen=True)
class ProfileFile:
    name: str
    version: str
    type: ProfileType
    layers: tuple[PlainLayer, ...]
    description: str = ""
    variables: tuple[Variable, ...] = ()

    def as_yaml(self) -> str:
        return dump_documents(
            {
                "apiVersion": FORMAT,
                "kind": "ClusterProfile",
                "name": self.name,
                "version": self.version,
                "type": str(self.type),
                "description": self.description,
                "variables": [variable.as_json() for variable in self.variables],
                "layers": [
                    {
                        "kind": str(layer.kind),
                        "pack": layer.pack,
                        "version": layer.pack_version,
                        "values": layer.values,
                    }
                    for layer in self.layers
                ],
            }
        )


class WrongFile(Exception):
    """The problems by line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = sorted(problems)


def plain_layers(layers: Sequence[Layer]) -> tuple[PlainLayer, ...]:
    return tuple(PlainLayer(layer.kind, layer.pack, layer.pack_version, layer.values) for layer in layers)


def read_file(text: str) -> ProfileFile:
    """Raise WrongFile with everything that is wrong, in the lines of the file."""
    try:
        root = read(text, largest=LARGEST_FILE)
    except Unreadable as error:
        raise WrongFile([error.problem]) from None
    # Placeholders are the layers' business: here they are text.
    filled = fill(root, lambda path: UNKNOWN, prefix="\0")
    if problems := [*filled.problems, *schema_problems(_SCHEMA, filled.data, filled)]:
        raise WrongFile(problems)
    assert root is not None
    made = _profile_file(filled.data)
    if problems := [*_wrong_variables(made, filled), *_wrong_layers(made, root, filled)]:
        raise WrongFile(problems)
    return made


def _profile_file(data: Mapping[str, Any]) -> ProfileFile:
    return ProfileFile(
        name=data["name"],
        version=data["version"],
        type=ProfileType(data["type"]),
        description=data.get("description", ""),
        variables=read_variables(data.get("variables", ())),
        layers=tuple(
            PlainLayer(row["kind"], row["pack"], row["version"], row.get("values", ""))
            for row in data["layers"]
        ),
    )


def _wrong_variables(made: ProfileFile, filled: Filled) -> Iterator[Problem]:
    for number, variable in enumerate(made.variables):
        others = [before.name for before in made.variables[:number]]
        for field, message in check_definition(variable, others=others).items():
            path = ("variables", number, field)
            yield Problem(filled.lines.get(path, filled.lines[path[:2]]), f"{field}: {message}")


def _wrong_layers(made: ProfileFile, root: Node, filled: Filled) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, layer in enumerate(made.layers):
        line = filled.lines[("layers", number)]
        slot = layer.pack if layer.kind == LayerKind.ADD_ON else layer.kind
        if slot in seen:
            yield Problem(line, f"There is a layer {slot} already.")
        seen.add(slot)
        if layer.kind not in KINDS[made.type]:
            yield Problem(line, f"{made.type.label} profiles take no such layer.")
        yield from _wrong_layer(layer, made.variables, line, _start_of_values(root, number))


def _wrong_layer(
    layer: PlainLayer, variables: Sequence[Variable], line: int, start: int
) -> Iterator[Problem]:
    try:
        pack = find_pack(layer.pack, layer.pack_version)
    except NoSuchPack as error:
        yield Problem(line, str(error))
        return
    if pack.kind != layer.kind:
        yield Problem(line, f"{pack} is not for this layer.")
    for problem in check_values(pack, layer.values, variables):
        yield Problem(start + problem.line, problem.message)


def _start_of_values(root: Node, number: int) -> int:
    """What is added to a line of the values to get the line of the file."""
    layers = _value(root, "layers")
    assert isinstance(layers, SequenceNode)
    values = _value(layers.value[number], "values")
    if not isinstance(values, ScalarNode):
        return line_of(layers.value[number]) - 1
    # A block begins in the line after its | sign.
    return line_of(values) - (0 if values.style in ("|", ">") else 1)


def _value(node: Node, name: str) -> Node | None:
    assert isinstance(node, MappingNode)
    return next((value for key, value in node.value if key.value == name), None)
