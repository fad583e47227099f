"""What a check found, line by line: plain values that are stored as JSON and shown, exported and shared."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Level = Literal["passed", "warning", "failed"]
LEVELS: tuple[Level, ...] = ("passed", "warning", "failed")


@dataclass(frozen=True)
class Target:
    """An object in vCenter that a permission can be given on."""

    kind: str
    moid: str
    reference: str  # "Folder:group-v3"
    name: str

    @property
    def vsphere_kind(self) -> str:
        return self.reference.partition(":")[0]


@dataclass(frozen=True)
class Line:
    key: str
    level: Level
    object_kind: str
    object_name: str
    sentence: str
    hint: str = ""
    # Of a line about privileges: what is missing on which objects, and what of the role is held there.
    missing: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True)
class Report:
    lines: tuple[Line, ...] = ()
    server: str = ""
    version: str = ""
    principal: str = ""
    round_trips: int = 0
    # None while nobody looked for the image.
    image_is_there: bool | None = None
    # Of the chosen compute clusters, by moid.
    free_memory_mib: Mapping[str, int] = field(default_factory=dict)

    @property
    def level(self) -> Level:
        """The worst of its lines."""
        return max((line.level for line in self.lines), key=LEVELS.index, default="passed")

    def of_level(self, level: Level) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.level == level)

    @property
    def failed(self) -> tuple[Line, ...]:
        return self.of_level("failed")

    @property
    def warnings(self) -> tuple[Line, ...]:
        return self.of_level("warning")

    @property
    def passed(self) -> tuple[Line, ...]:
        return self.of_level("passed")

    @property
    def missing_privileges(self) -> bool:
        return any(line.missing for line in self.lines)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "lines": [asdict(line) for line in self.lines]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Report":
        lines = tuple(_line(entry) for entry in value.get("lines", ()))
        return cls(**{**{name: value[name] for name in FACTS if name in value}, "lines": lines})


FACTS = ("server", "version", "principal", "round_trips", "image_is_there", "free_memory_mib")


def _line(entry: Mapping[str, Any]) -> Line:
    targets = tuple(Target(**target) for target in entry.get("targets", ()))
    lists = {name: tuple(entry.get(name, ())) for name in ("missing", "held")}
    return Line(**{**entry, **lists, "targets": targets})
