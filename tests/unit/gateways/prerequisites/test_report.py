import json

import pytest

from gateways.prerequisites.report import Line, Report, Target
from gateways.prerequisites.words import are, counted, listed
from gateways.report_pages import SECTIONS

LINE = Line(
    "privileges:folder",
    "failed",
    "Folder",
    "vms",
    "One is missing.",
    "Add it.",
    missing=("Folder.Create",),
    held=("Folder.Delete",),
    targets=(Target("folder", "group-v3", "Folder:group-v3", "vms"),),
)


def test_report_survives_storage():
    report = Report((LINE, Line("dns", "passed", "vCenter", "v", "Fine.")), "v", "8.0.3", "A\\b", 9)

    assert Report.from_json(json.loads(json.dumps(report.as_json()))) == report
    assert Report.from_json({}) == Report()


@pytest.mark.parametrize(
    ("levels", "worst"),
    [
        ((), "passed"),
        (("passed",), "passed"),
        (("passed", "warning"), "warning"),
        (("failed", "warning"), "failed"),
    ],
)
def test_level_is_the_worst(levels, worst):
    assert Report(tuple(Line("dns", level, "", "", "") for level in levels)).level == worst


def test_kind_of_a_target_is_what_vcenter_calls_it():
    assert LINE.targets[0].vsphere_kind == "Folder"


def test_sections_share_no_line():
    keys = [key for _title, keys in SECTIONS for key in keys]

    assert len(keys) == len(set(keys))


def test_lists_are_short():
    assert [listed(list("abcd"[:n]), most=2) for n in range(5)] == [
        "",
        "a",
        "a and b",
        "a, b and c",
        "a, b and 2 more",
    ]
    assert (counted(1, "host"), counted(0, "host"), are(1, "host"), are(2, "host")) == (
        "1 host",
        "0 hosts",
        "1 host is",
        "2 hosts are",
    )
