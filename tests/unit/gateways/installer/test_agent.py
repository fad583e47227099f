"""The program as it runs on the VM: another process, without the portal's packages."""

import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateways.installer.state import StateFile
from tests.unit.gateways.installer.factories import PAIRING_CODE, make_environment, make_values
from tests.unit.gateways.installer.server import Server

ROOT = Path(__file__).parents[4]
UUID = "4214c2f5-8f6c-4d7e-9a55-2a3c9d7b1e10"
AS_SCRIPT = ["gateways/installer/agent.py"]
AS_MODULE = ["-m", "gateways.installer"]


@contextmanager
def running(start: list[str], folder: Path, server: Server) -> Iterator[subprocess.Popen[bytes]]:
    file = folder / "ovf-env.xml"
    file.write_text(make_environment(make_values(console_endpoint=f"http://{server.address}")))
    # -S leaves site-packages out: an import of anything but the standard library fails.
    command = [sys.executable, "-S", *start, "--ovf-env", str(file), "--state", str(folder / "state")]
    command += ["--log", str(folder / "log"), "--instance-uuid", UUID]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("start", [AS_SCRIPT, AS_MODULE])
def test_agent_registers_and_ends_on_sigterm(start: list[str], tmp_path: Path, portal: Server) -> None:
    with running(start, tmp_path, portal) as process:
        portal.wait_for_requests(1)
        wait_for_line(tmp_path / "log", "Registered as gateway g-1")
        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=10) == 0

    log = (tmp_path / "log").read_text()
    assert log.endswith("Stopped.\n")
    assert PAIRING_CODE not in log
    assert StateFile(tmp_path / "state").load(UUID).token == "issued-token"


def wait_for_line(path: Path, text: str) -> None:
    """`tail -F` blocks until the file grows, so nothing here has to guess a time."""
    with subprocess.Popen(
        ["timeout", "20", "tail", "-n", "+1", "-F", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as tail:
        assert tail.stdout
        found = any(text in line for line in tail.stdout)
        tail.kill()
    assert found


def test_log_script_collects_what_there_is(tmp_path: Path) -> None:
    script = ROOT / "gateways" / "installer" / "palette-logs.sh"

    done = subprocess.run(
        ["sh", str(script), str(tmp_path)], capture_output=True, text=True, check=False, env=dict(os.environ)
    )

    assert done.returncode == 0, done.stderr
    (archive,) = tmp_path.glob("palette-logs-*.tgz")
    assert archive.stat().st_mode & 0o077 == 0
    with tarfile.open(archive) as content:
        assert {"kubelet.log", "palette-installer-journal.log", "system.txt"} <= set(content.getnames())


def test_log_script_that_cannot_write(tmp_path: Path) -> None:
    script = ROOT / "gateways" / "installer" / "palette-logs.sh"

    done = subprocess.run(
        ["sh", str(script), str(tmp_path / "none")], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "could not be written" in done.stderr
