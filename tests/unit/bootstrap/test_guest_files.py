"""The scripts as a node runs them, with a portal on loopback."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from palette_portal.bootstrap import text
from palette_portal.bootstrap.text import dump_json, guest_file

SCRIPTS = Path(text.__file__).parent / "guest_files"


@dataclass
class Portal:
    port: int = 0
    statuses: list[int] = field(default_factory=lambda: [204])
    reports: list[dict[str, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)


def _handler(portal: Portal) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            portal.reports.append(json.loads(body))
            portal.tokens.add(self.headers["Authorization"])
            self.send_response(portal.statuses.pop(0) if len(portal.statuses) > 1 else portal.statuses[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            pass

    return Handler


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(portal))
    portal.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield portal
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Guest:
    folder: Path
    retries: str = "0"

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", str(SCRIPTS / script), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=dict(os.environ)
            | {
                "PALETTE_REPORT_TARGET": str(self.folder / "report.json"),
                "PALETTE_PORTAL_COMMAND": str(self.folder / "palette-portal"),
                "PALETTE_REPORT_RETRIES": self.retries,
                "PALETTE_REPORT_QUEUE": str(self.folder / "queue"),
                "PALETTE_REPORT_COMMAND": str(self.folder / "palette-report"),
                "PALETTE_STEP_LOG": str(self.folder / "bootstrap.log"),
                "PALETTE_STEP_FAILED": str(self.folder / "failed"),
            },
        )

    def report(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("palette-report", *arguments)

    @property
    def queued(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "queue").glob("*.json"))


@pytest.fixture
def guest(tmp_path: Path, portal: Portal) -> Guest:
    target = {
        "url": f"http://127.0.0.1:{portal.port}/v1/machines/m-1/reports",
        "machine": "m-1",
        "token": "t0ken",
        "proxy": "",
        "no_proxy": "",
    }
    (tmp_path / "report.json").write_text(dump_json(target))
    for name in ("palette-report", "palette-portal"):
        command = tmp_path / name
        command.write_text(guest_file(name))
        command.chmod(0o755)
    return Guest(tmp_path)


def phases(portal: Portal) -> list[str]:
    return [report["phase"] for report in portal.reports]


def test_report_reaches_the_portal(guest: Guest, portal: Portal) -> None:
    done = guest.report("booted")

    assert done.returncode == 0, done.stderr
    (report,) = portal.reports
    assert set(report) == {"phase", "message", "addresses", "kubelet_version"}
    assert (report["phase"], report["message"]) == ("booted", "")
    assert isinstance(report["addresses"], list)
    assert portal.tokens == {"Bearer t0ken"}
    assert guest.queued == []


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('a "quoted" \\ path', 'a "quoted" \\ path'),
        ("line one\n\nline three", "line one\n\nline three"),
        ("tab\there \x1b[31mred\x1b[0m\r", "tab here [31mred[0m"),
        ("café ✓ %s $(id) `id`", "caf  %s $(id) `id`"),
        ('\\"' * 2000, '\\"' * 1000),
    ],
)
def test_message_is_always_valid_json(guest: Guest, portal: Portal, message: str, expected: str) -> None:
    guest.report("failed", message)

    assert portal.reports[0]["message"] == expected


def test_report_during_an_outage_comes_later_and_in_order(guest: Guest, portal: Portal) -> None:
    target = guest.folder / "report.json"
    right = target.read_text()
    target.write_text(right.replace(f":{portal.port}/", ":9/"))
    guest.report("booted")
    guest.report("joined")
    target.write_text(right)

    guest.report("heartbeat")

    assert phases(portal) == ["booted", "joined", "heartbeat"]
    assert guest.queued == []


def test_report_is_tried_again_when_the_portal_has_a_problem(guest: Guest, portal: Portal) -> None:
    portal.statuses = [503, 204]
    guest.retries = "1"

    guest.report("booted")

    assert phases(portal) == ["booted", "booted"]
    assert guest.queued == []


def test_report_the_portal_does_not_want_is_dropped(guest: Guest, portal: Portal) -> None:
    portal.statuses = [401, 204]

    done = guest.report("booted")
    guest.report("joined")

    assert phases(portal) == ["booted", "joined"]
    assert "HTTP 401" in done.stderr


def test_heartbeats_of_an_outage_do_not_pile_up(guest: Guest, portal: Portal) -> None:
    portal.statuses = [302]

    for _ in range(3):
        guest.report("heartbeat")

    assert guest.queued == ["heartbeat.json"]


def test_step_that_succeeds_reports_its_phase(guest: Guest, portal: Portal) -> None:
    done = guest.run("palette-step", "joined", "echo", "node joined")

    assert done.returncode == 0
    assert phases(portal) == ["joined"]
    assert "node joined" in (guest.folder / "bootstrap.log").read_text()


def test_step_that_fails_reports_why_and_stops_the_rest(guest: Guest, portal: Portal) -> None:
    script = "seq -f 'line %g' 40; echo --token abcdef.0123456789abcdef 'etcd \"down\"' >&2; exit 3"

    failed = guest.run("palette-step", "control-plane-ready", "sh", "-c", script)
    after = guest.run("palette-step", "ready", "true")

    assert (failed.returncode, after.returncode) == (1, 1)
    (report,) = portal.reports
    assert report["phase"] == "failed"
    assert report["message"].endswith('--token (token) etcd "down"')
    assert report["message"].startswith("line 22\n")


@pytest.mark.parametrize("name", sorted(path.name for path in SCRIPTS.iterdir() if not path.suffix))
def test_script_is_plain_shell(name: str) -> None:
    checked = subprocess.run(["sh", "-n", str(SCRIPTS / name)], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stderr


@pytest.fixture
def packs(guest: Guest) -> Path:
    """The folder of manifests, and a kubectl that notes what it is to apply."""
    folder, programs = guest.folder / "manifests", guest.folder / "bin"
    folder.mkdir()
    programs.mkdir()
    (programs / "kubectl").write_text(f'#!/bin/sh\nshift 4\ncat "$1" >> {guest.folder}/applied\n')
    (programs / "kubectl").chmod(0o755)
    return folder


def apply_packs(guest: Guest, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{guest.folder}/bin:{os.environ['PATH']}"
    return subprocess.run(
        ["sh", str(SCRIPTS / "palette-apply-packs")],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ) | {"PATH": path, "PALETTE_MANIFESTS": str(folder), "PALETTE_LONGEST_PAUSE": "1"},
    )


def test_manifests_are_fetched_and_applied_in_their_order(guest: Guest, packs: Path) -> None:
    (packs / "001-first.yaml").write_text("first\n")
    (guest.folder / "published").write_text("second\n")
    (packs / "002-second.curl").write_text(f'url = "file://{guest.folder}/published"\n')
    (packs / "003-third.yaml").write_text("third\n")

    done = apply_packs(guest, packs)

    assert done.returncode == 0, done.stderr
    assert (guest.folder / "applied").read_text() == "first\nsecond\nthird\n"


def test_manifest_that_cannot_be_fetched_is_named(guest: Guest, packs: Path) -> None:
    (packs / "001-first.yaml").write_text("first\n")
    (packs / "002-second.curl").write_text(f'url = "file://{guest.folder}/nowhere"\n')

    done = apply_packs(guest, packs)

    assert done.returncode == 1 and "nowhere" in done.stderr
    assert not (guest.folder / "applied").exists()
