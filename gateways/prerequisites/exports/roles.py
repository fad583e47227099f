"""What the scripts do, before it is put into anybody's language."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from gateways.prerequisites.report import Line, Report, Target
from gateways.prerequisites.table import READ_ONLY, ROLE_NAMES, ROLE_TITLES, Table, table_for


@dataclass(frozen=True)
class Grant:
    target: Target
    propagate: bool


@dataclass(frozen=True)
class RoleNeed:
    """A role with exactly what is missing. `kept` is what the account holds on the same objects today.

    A permission on an object takes the place of what the account inherits there, so it needs that too.
    """

    key: str
    missing: tuple[str, ...]
    kept: tuple[str, ...]
    grants: tuple[Grant, ...]

    @property
    def name(self) -> str:
        return ROLE_NAMES[self.key]

    @property
    def title(self) -> str:
        return ROLE_TITLES[self.key]

    @property
    def is_vcenters_own(self) -> bool:
        return self.key == READ_ONLY


def needed_roles(report: Report) -> Iterator[RoleNeed]:
    table = table_for(report.version)
    lacking = [(line, table.kinds[line.key.partition(":")[2]].role) for line in report.lines if line.missing]
    for role in ROLE_TITLES:
        lines = [line for line, its_role in lacking if its_role == role]
        if lines:
            yield _need(table, role, lines)


def _need(table: Table, role: str, lines: list[Line]) -> RoleNeed:
    missing = set(chain.from_iterable(line.missing for line in lines)) - table.read_only
    held = set(chain.from_iterable(line.held for line in lines)) - table.read_only
    grants = [Grant(target, table.kinds[target.kind].propagate) for line in lines for target in line.targets]
    return RoleNeed(role, tuple(sorted(missing)), tuple(sorted(held - missing)), tuple(grants))


def comment(text: str) -> str:
    """On one line, whatever an object is called."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(plain.split())
