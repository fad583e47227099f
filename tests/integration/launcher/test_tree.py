import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from palette_portal.launcher.processes import spawn
from palette_portal.launcher.tree import ProcessTree, Service

ROOT = Path(__file__).parents[3]
SLEEPER = "import time; time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('up', flush=True); time.sleep(600)"
)
WITH_CHILD = (
    "import subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(child.pid, flush=True); child.wait()"
)
SUPERVISOR = """
import pathlib, sys
from palette_portal.launcher.processes import spawn
from palette_portal.launcher.tree import ProcessTree, Service
with ProcessTree() as tree:
    for name in ("one", "two"):
        tree.start(Service(name, lambda: spawn([sys.executable, "-c", "import time; time.sleep(600)"])))
    print(*(running.process.pid for running in tree._running), flush=True)
    tree.run()
print("ended", flush=True)
"""


@pytest.fixture
def tree() -> Iterator[ProcessTree]:
    """Without its signal handlers, which belong to the test run."""
    made = ProcessTree(say=lambda line: None)
    yield made
    made.stop()


@pytest.fixture
def supervisor() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    with process:
        yield process
        process.kill()


def program(code: str, log: Path) -> Callable[[], subprocess.Popen[bytes]]:
    return lambda: spawn([sys.executable, "-c", code], log=log)


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_service_that_was_killed_is_started_again(tree: ProcessTree, tmp_path: Path) -> None:
    spawned: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        spawned.append(program(SLEEPER, tmp_path / "log")())
        return spawned[-1]

    tree.start(Service("sleeper", start))
    spawned[0].kill()

    wait_until(lambda: (tree.look_after(), len(spawned) == 2)[1])

    assert alive(spawned[1].pid)


def test_service_that_fails_at_once_is_tried_ever_later(tmp_path: Path) -> None:
    said: list[str] = []
    tree = ProcessTree(say=said.append)
    tree.start(Service("broken", program("raise SystemExit(3)", tmp_path / "log")))

    wait_until(lambda: (tree.look_after(), len(said) == 3)[1])

    tree.stop()
    assert [line.split()[-2] for line in said] == ["0.3", "0.6", "1.2"]
    assert "exit code 3" in said[0]


def test_service_that_asks_for_a_fresh_start_gets_it_soon(tmp_path: Path) -> None:
    said: list[str] = []
    tree = ProcessTree(say=said.append)
    tree.start(Service("worker", program("raise SystemExit(75)", tmp_path / "log")))

    wait_until(lambda: (tree.look_after(), len(said) == 3)[1])

    tree.stop()
    assert [line.split()[-2] for line in said] == ["0.3", "0.3", "0.3"]


def test_stop_of_a_service_that_does_not_listen(tmp_path: Path) -> None:
    said: list[str] = []
    tree = ProcessTree(say=said.append)
    log = tmp_path / "log"
    stubborn = program(STUBBORN, log)()
    wait_until(lambda: b"up" in log.read_bytes())
    tree.start(Service("stubborn", lambda: stubborn, stop_seconds=0.3))

    tree.stop()

    assert said == ["stubborn does not end; killing it"]
    assert not alive(stubborn.pid)


def test_stop_reaches_what_a_service_started(tree: ProcessTree, tmp_path: Path) -> None:
    log = tmp_path / "log"
    tree.start(Service("parent", program(WITH_CHILD, log)))
    wait_until(lambda: log.read_bytes().endswith(b"\n"))
    grandchild = int(log.read_text())

    tree.stop()

    wait_until(lambda: not alive(grandchild))


def test_stages_end_in_order(tmp_path: Path) -> None:
    ended: list[str] = []
    tree = ProcessTree(say=ended.append)
    for name, stage in (("database", 2), ("web", 1)):
        log = tmp_path / name
        process = program(STUBBORN, log)()
        wait_until(lambda log=log: b"up" in log.read_bytes())
        tree.start(Service(name, lambda process=process: process, stage=stage, stop_seconds=0.1))

    tree.stop()

    assert [line.split()[0] for line in ended] == ["web", "database"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_supervisor_that_is_asked_to_end(supervisor: subprocess.Popen[str], number: int) -> None:
    assert supervisor.stdout
    children = [int(pid) for pid in supervisor.stdout.readline().split()]

    os.kill(supervisor.pid, number)

    assert supervisor.stdout.readline() == "ended\n"
    assert supervisor.wait(10) == 0
    assert not any(alive(pid) for pid in children)


def test_supervisor_that_is_killed_with_9(supervisor: subprocess.Popen[str]) -> None:
    assert supervisor.stdout
    children = [int(pid) for pid in supervisor.stdout.readline().split()]

    supervisor.kill()

    wait_until(lambda: not any(alive(pid) for pid in children))
