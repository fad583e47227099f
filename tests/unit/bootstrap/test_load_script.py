"""palette-load on a control plane node, with a portal and a kubectl that write down what they are asked."""

import os
import subprocess
from pathlib import Path

import pytest

from clusters.load import parse_load
from palette_portal.bootstrap.text import guest_file

# Answers the question with the code in a file; keeps the body it is given.
PORTAL = """#!/bin/sh
for argument; do
    case $argument in @*) cp "${argument#@}" "$LOG/body"; printf '%s' "$(cat "$LOG/taken")"; exit 0 ;; esac
done
cat "$LOG/wanted"
"""
KUBECTL = """#!/bin/sh
echo "$*" >>"$LOG/calls"
case "$2" in
nodes) printf 'node\\tw-1\\t4\\t8Gi\\n' ;;
pods) if [ -e "$LOG/broken" ]; then exit 1; fi; printf 'pod\\tdefault/web\\tw-1\\t\\tJob\\t1,1Gi\\n' ;;
esac
"""


@pytest.fixture
def node(tmp_path: Path) -> Path:
    for name, content in {"portal": PORTAL, "kubectl": KUBECTL, "load": guest_file("palette-load")}.items():
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "wanted").write_text("200")
    (tmp_path / "taken").write_text("204")
    return tmp_path


def run(node: Path) -> int:
    environment = {
        "PATH": f"{node}:{os.environ['PATH']}",
        "LOG": str(node),
        "PALETTE_PORTAL_COMMAND": str(node / "portal"),
    }
    return subprocess.run([node / "load"], env=environment, timeout=20).returncode


def test_portal_gets_lines_that_it_can_read(node: Path) -> None:
    assert run(node) == 0

    load = parse_load((node / "body").read_text())
    assert [one.name for one in load.nodes] == ["w-1"]
    assert load.nodes[0].pods[0].name == "default/web"


@pytest.mark.parametrize("answer", ["204", "401", "503", "000"])
def test_cluster_is_asked_nothing_when_the_portal_does_not_want_to_know(node: Path, answer: str) -> None:
    (node / "wanted").write_text(answer)

    assert run(node) == 0
    assert not (node / "calls").exists()


def test_half_a_load_is_not_told(node: Path) -> None:
    (node / "broken").touch()

    assert run(node) == 1
    assert not (node / "body").exists()


def test_load_that_the_portal_does_not_take_is_an_error(node: Path) -> None:
    (node / "taken").write_text("503")

    assert run(node) == 1
