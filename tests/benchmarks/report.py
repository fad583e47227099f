"""How every benchmark says what it measured: a table, a JSON file, and `NAME VALUE UNIT` as the last line."""

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

Row = Mapping[str, object]


def report(name: str, value: float, unit: str, rows: Sequence[Row]) -> None:
    columns = list(rows[0])
    table = [columns, *[[_text(row[column]) for column in columns] for row in rows]]
    widths = [max(len(line[n]) for line in table) for n in range(len(columns))]
    for line in table:
        sys.stdout.write(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n"
        )
    keep(name, value, unit, rows)
    sys.stdout.write(f"{name} {_text(value)} {unit}\n")


def keep(name: str, value: float, unit: str, rows: Sequence[Row]) -> None:
    folder = Path(os.environ.get("DATA", ".data")) / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    result = {
        "name": name,
        "value": value,
        "unit": unit,
        "rows": [dict(row) for row in rows],
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "system": platform.platform(),
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
        },
    }
    (folder / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
