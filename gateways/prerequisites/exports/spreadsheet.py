"""CSV that spreadsheets open without running anything: names of objects in vCenter are anybody's text."""

import csv
import io

from gateways.prerequisites.report import Report

COLUMNS = ("Result", "Check", "Object kind", "Object", "Finding", "What to do", "Missing privileges")
# What makes a spreadsheet take a cell for a formula, when it stands first.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def spreadsheet(report: Report) -> str:
    """With a mark at the beginning that lets spreadsheets know it is UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for line in report.lines:
        row = (
            line.level,
            line.key.partition(":")[0],
            line.object_kind,
            line.object_name,
            line.sentence,
            line.hint,
            " ".join(line.missing),
        )
        writer.writerow([_harmless(cell) for cell in row])
    return "\ufeff" + text.getvalue()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.lstrip(" \u00a0").startswith(FORMULA) else cell
