"""The demo's programs, each as the supervisor starts it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from palette_portal.launcher.postgres import EmbeddedPostgres
from palette_portal.launcher.processes import spawn
from palette_portal.launcher.tree import Service

ROOT = Path(__file__).parents[3]
WORKERS = 2


class NotReady(Exception):
    pass


class Programs:
    """Python programs of this checkout, with one environment and a log file each."""

    def __init__(self, *, environment: Mapping[str, str], logs: Path) -> None:
        self._environment = {**os.environ, **environment}
        self._logs = logs
        logs.mkdir(parents=True, exist_ok=True)

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def service(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        wait_ready: Callable[[subprocess.Popen[bytes]], None] | None = None,
    ) -> Service:
        log = self.log(name)
        log.write_bytes(b"")
        all_variables = {**self._environment, **(environment or {})}

        def start() -> subprocess.Popen[bytes]:
            return spawn([sys.executable, *arguments], log=log, environment=all_variables, folder=ROOT)

        return Service(name, start, **({"wait_ready": wait_ready} if wait_ready else {}))

    def run(self, module: str, *, stdin: str) -> str:
        """A program that ends: its stdout, or NotReady with what it complained about."""
        done = subprocess.run(
            [sys.executable, "-m", module],
            input=stdin,
            capture_output=True,
            text=True,
            env=self._environment,
            cwd=ROOT,
        )
        if done.returncode != 0:
            raise NotReady(f"{module} failed:\n{done.stderr[-3000:]}")
        return done.stdout


def postgres_service(server: EmbeddedPostgres) -> Service:
    return Service(
        "PostgreSQL",
        server.spawn,
        stop_signal=signal.SIGINT,
        stop_seconds=3,
        stage=2,
    )


def web_service(programs: Programs, *, port: int, reload: bool) -> Service:
    server = ["-m", "uvicorn", "palette_portal.asgi:application", "--host", "127.0.0.1", "--port", str(port)]
    manners = ["--no-access-log", "--lifespan", "off", "--timeout-graceful-shutdown", "1"]
    reloading = ["--reload", "--reload-include", "*.html"] if reload else []
    return programs.service(
        "web",
        [*server, *manners, *reloading],
        wait_ready=lambda process: wait_for_page(
            f"http://127.0.0.1:{port}/health/ready", process, log=programs.log("web")
        ),
    )


def background_services(programs: Programs) -> list[Service]:
    workers = [programs.service(f"worker-{number + 1}", ["manage.py", "worker"]) for number in range(WORKERS)]
    return [*workers, programs.service("dispatcher", ["manage.py", "dispatcher"])]


def wait_for_page(url: str, process: subprocess.Popen[bytes], *, log: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.1)
    raise NotReady(f"{url} does not answer. {log} ends with:\n{log.read_text()[-3000:]}")
