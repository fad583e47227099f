"""What the page of a report shows, for the page and for the stream."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateways.models import PrerequisiteReport
from gateways.prerequisites.exports import EXPORTS
from gateways.prerequisites.report import LEVELS, Level, Line, Report
from gateways.prerequisites.running import STAGES
from gateways.prerequisites.table import Privilege, Table, table_for

SECTIONS: tuple[tuple[str, frozenset[str]], ...] = (
    ("vCenter", frozenset({"dns", "login", "version", "clock", "unanswered"})),
    ("Privileges", frozenset({"privileges"})),
    (
        "Placement",
        frozenset(
            {
                "folder",
                "image-folder",
                "image-template",
                "compute-cluster",
                "resource-pool",
                "shared-storage",
                "network-reach",
            }
        ),
    ),
    ("Room", frozenset({"capacity", "space", "names", "addresses", "networks"})),
    ("Time of the hosts", frozenset({"ntp"})),
    ("Regions and zones", frozenset({"zone-tags"})),
)
WORDS: dict[str, str] = {"passed": "Passed", "warning": "Warnings", "failed": "Failed", "": "Checking"}
ICONS: dict[Level, str] = {"passed": "circle-check", "warning": "triangle-alert", "failed": "circle-x"}


@dataclass(frozen=True)
class Missing:
    privilege: Privilege
    is_needed: bool


@dataclass(frozen=True)
class ShownLine:
    line: Line
    missing: tuple[Missing, ...]

    @property
    def icon(self) -> str:
        return ICONS[self.line.level]


@dataclass(frozen=True)
class Section:
    title: str
    lines: tuple[ShownLine, ...]

    @property
    def level(self) -> Level:
        return max((shown.line.level for shown in self.lines), key=LEVELS.index)

    @property
    def counts(self) -> str:
        """As in "1 failed, 3 passed"."""
        found = Counter(shown.line.level for shown in self.lines)
        words = {"failed": "failed", "warning": "warning", "passed": "passed"}
        if found["warning"] > 1:
            words["warning"] = "warnings"
        return ", ".join(f"{found[level]} {words[level]}" for level in reversed(LEVELS) if found[level])


def report_context(report: PrerequisiteReport) -> dict[str, Any]:
    found = Report.from_json(report.content)
    return {
        "report": report,
        "found": found,
        "word": WORDS[report.level],
        "report_sections": sorted(_sections(found), key=lambda section: -LEVELS.index(section.level)),
        "exports": [(kind, export) for kind, export in EXPORTS.items() if _has_use(export.is_script, found)],
        "stage": STAGES[min(report.stage, len(STAGES) - 1)],
        "stages": [_look(index, report.stage) for index in range(len(STAGES))],
    }


def _has_use(is_script: bool, found: Report) -> bool:
    return found.missing_privileges or not is_script


def _look(index: int, current: int) -> str:
    if index == current:
        return "active"
    return "done" if index < current else "waiting"


def _sections(found: Report) -> Iterator[Section]:
    """What is wrong first, within each section."""
    table = table_for(found.version)
    for title, keys in SECTIONS:
        lines = [line for line in found.lines if line.key.partition(":")[0] in keys]
        lines.sort(key=lambda line: -LEVELS.index(line.level))
        if lines:
            yield Section(title, tuple(ShownLine(line, _missing(table, line)) for line in lines))


def _missing(table: Table, line: Line) -> tuple[Missing, ...]:
    if not line.missing:
        return ()
    must = table.must_on(line.key.partition(":")[2])
    known = {privilege.id: privilege for privilege in table.privileges}
    shown = [
        Missing(known.get(one) or Privilege(one, "System", one, frozenset(), frozenset()), one in must)
        for one in line.missing
    ]
    return tuple(sorted(shown, key=lambda missing: not missing.is_needed))
