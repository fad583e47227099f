"""The demo as a person starts it: `python -m tests.lab.demo`, on a data folder and a port of its own."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


class Demo:
    def __init__(self, data: Path) -> None:
        self.data, self.port = data, free_port()
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        kept = {
            name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "MAKELEVEL")
        }
        asked = {"DATA": str(self.data), "PORT": str(self.port), "VCENTER": "none"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.lab.demo"],
            cwd=ROOT,
            env={**kept, **asked},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def read_until(self, words: str) -> str:
        assert self.process and self.process.stdout
        text = ""
        for line in self.process.stdout:
            text += line
            if words in line:
                return text
        raise AssertionError(f"{words!r} was never printed:\n{text}")

    def end(self, number: int) -> int:
        assert self.process
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        assert self.process and self.process.stdout
        code = self.process.wait(15)
        self.process.stdout.close()
        return code

    def pids(self) -> list[int]:
        """Everybody who has the data folder in the environment or on the command line."""
        mark = os.fsencode(self.data)
        return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if mark in said_by(entry)]

    @property
    def credentials(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.data / "demo" / "credentials.json").read_text())
        return found


def said_by(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
    except OSError:
        return b""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@pytest.fixture
def demo() -> Iterator[Demo]:
    data = Path(tempfile.mkdtemp(prefix="demo-"))
    data.chmod(0o755)
    made = Demo(data)
    yield made
    if made.process:
        made.end(signal.SIGTERM)
    shutil.rmtree(data, ignore_errors=True)


def test_demo_from_nothing_then_ctrl_c(demo: Demo) -> None:
    demo.start()
    printed = demo.read_until("Ctrl-C ends everything")

    with urllib.request.urlopen(demo.credentials["url"] + "/account/login/", timeout=10) as page:
        assert page.status == 200
    roles = [user["role"] for user in demo.credentials["users"]]
    assert roles == ["Tenant Admin", "Project Admin", "Project Editor", "Project Viewer", "Support"]
    assert all(user["password"] in printed for user in demo.credentials["users"])
    assert stat.S_IMODE((demo.data / "demo" / "credentials.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((demo.data / "demo" / "secrets").stat().st_mode) == 0o600

    began = time.monotonic()
    assert demo.end(signal.SIGINT) == 0
    assert time.monotonic() - began < 10
    assert demo.pids() == []


def test_release_can_be_published_in_the_running_demo(demo: Demo) -> None:
    assert "Run: make demo" in publish_release(demo)
    demo.start()
    demo.read_until("Ctrl-C ends everything")

    assert "Release 1.1.0 is published. 0 gateways can be upgraded to it now." in publish_release(demo)
    assert "published already" in publish_release(demo)


def publish_release(demo: Demo) -> str:
    environment = {**os.environ, "DATA": str(demo.data), "PORT": str(demo.port)}
    asked = [sys.executable, "-m", "tests.lab.release"]
    done = subprocess.run(asked, cwd=ROOT, env=environment, capture_output=True, text=True)
    return done.stdout + done.stderr


def test_demo_after_kill_9_starts_again_with_the_same_logins(demo: Demo) -> None:
    demo.start()
    demo.read_until("Ctrl-C ends everything")
    before = demo.credentials

    demo.end(signal.SIGKILL)
    demo.start()
    demo.read_until("Ctrl-C ends everything")

    assert demo.credentials == before


def test_demo_whose_starter_is_killed_leaves_nobody_behind(demo: Demo) -> None:
    demo.start()
    demo.read_until("Ctrl-C ends everything")

    demo.end(signal.SIGKILL)

    wait_until(lambda: demo.pids() == [], seconds=15)


def test_second_demo_on_the_same_folder_says_so(demo: Demo) -> None:
    demo.start()
    demo.read_until("Bringing the database up to date")
    second = Demo(demo.data)

    second.start()

    second.read_until("is running already")
    assert second.wait() == 1


def test_demo_on_a_taken_port_says_which_one(demo: Demo) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", demo.port))
        taken.listen()

        demo.start()

        demo.read_until(f"Port {demo.port} is taken")
    assert demo.wait() == 1
