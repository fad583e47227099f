"""From the commit of a step's change to the line in a browser, with 200 open Cluster Details pages.

The web server is the real one. The value is the 99th percentile over all changes and pages.
"""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any

import psycopg
from cryptography.fernet import Fernet

from palette_portal.launcher.postgres import EmbeddedPostgres
from palette_portal.launcher.processes import spawn
from tests.benchmarks.report import quantile, report
from tests.chaos.stage import ROOT, scratch_folder

PAGES = 200
# A session may have 20 streams.
SESSIONS = 20
# After these the web process has all its threads, which do not grow with the number of pages.
WARM_UP = 60
CHANGES = 100
PAUSE_SECONDS = 0.1
TICK = re.compile(rb"tick-(\d+)\.")
LONGEST_TICK = len("tick-99999.") - 1
SERVER = ["-m", "uvicorn", "palette_portal.asgi:application", "--log-level", "warning"]
CONNECTIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


def main() -> None:
    with scratch_folder() as folder, database(folder) as url:
        environment = environment_of(url)
        run(["manage.py", "migrate", "--verbosity", "0"], environment)
        scene = json.loads(
            run(["-m", "tests.benchmarks.stream_scene", "prepare", str(SESSIONS)], environment)
        )
        with web(folder, environment) as (port, server):
            measured = asyncio.run(measure(url, environment, scene, port, server.pid))
    seconds = measured.seconds
    row = {
        "pages": PAGES,
        "changes": CHANGES,
        "p50_ms": quantile(seconds, 0.5) * 1000,
        "p95_ms": quantile(seconds, 0.95) * 1000,
        "p99_ms": quantile(seconds, 0.99) * 1000,
        "longest_ms": max(seconds) * 1000,
        "connections_held": measured.connections_held,
        "web_cpu_ms_per_change": measured.web_cpu_seconds / CHANGES * 1000,
    }
    report("stream", round(row["p99_ms"], 1), "ms", [row])


@contextmanager
def database(folder: Path) -> Iterator[str]:
    postgres = EmbeddedPostgres(folder / "postgres")
    postgres.start()
    try:
        yield postgres.url
    finally:
        postgres.destroy()


def environment_of(url: str) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "palette_portal.settings",
        "DATABASE_URL": url,
        "SECRET_KEY": "benchmark",
        "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "STATIC_FROM_SOURCE": "1",
    }


def run(arguments: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


@contextmanager
def web(folder: Path, environment: dict[str, str]) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    log = folder / "web.log"
    server = spawn(
        [sys.executable, *SERVER, "--port", str(port)], log=log, environment=environment, folder=ROOT
    )
    try:
        wait_for_port(port, server)
        yield port, server
    finally:
        server.terminate()
        server.wait(20)
        sys.stdout.write(log.read_text())


def cpu_seconds_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for_port(port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = monotonic() + 60
    while monotonic() < deadline and server.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        sleep(0.05)
    raise RuntimeError("The web server did not start.")


@dataclass(frozen=True)
class Measured:
    """Latencies of every change in every page; connections that the pages after the first ones added."""

    seconds: list[float]
    connections_held: int
    web_cpu_seconds: float


async def measure(
    url: str, environment: dict[str, str], scene: dict[str, Any], port: int, web_pid: int
) -> Measured:
    sessions = cycle(scene["sessions"])
    pages = [Page(port, scene["cluster"], next(sessions)) for _ in range(PAGES)]
    for page in pages[:WARM_UP]:
        await page.open()
    before = count_connections(url)
    for page in pages[WARM_UP:]:
        await page.open()
    held = max(0, count_connections(url) - before)
    readers = [asyncio.create_task(page.read()) for page in pages]
    cpu_before = cpu_seconds_of(web_pid)
    writer = await asyncio.create_subprocess_exec(
        sys.executable,
        *["-m", "tests.benchmarks.stream_scene", "change", scene["step"], str(CHANGES), str(PAUSE_SECONDS)],
        env=environment,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    answer, _ = await writer.communicate()
    async with asyncio.timeout(30):
        await asyncio.gather(*readers)
    cpu = cpu_seconds_of(web_pid) - cpu_before
    committed = [float(moment) for moment in json.loads(answer)]
    seconds = [seen - committed[n] for page in pages for n, seen in page.seen.items()]
    return Measured(seconds, held, cpu)


def count_connections(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(CONNECTIONS).fetchone()
    return int(row[0]) if row else 0


class Page:
    """One browser tab: a plain HTTP/1.1 connection that stays open."""

    def __init__(self, port: int, cluster: str, session: str) -> None:
        self.seen: dict[int, float] = {}
        self._port = port
        self._cluster = cluster
        self._session = session

    async def open(self) -> None:
        self._lines, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**22)
        path = f"/streams/clusters/{self._cluster}/?after=0&tab=overview"
        cookie = f"sessionid={self._session}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n".encode())
        status = await self._lines.readline()
        if b" 200 " not in status:
            raise RuntimeError(status.decode())
        self._writer = writer

    async def read(self) -> None:
        """Several changes may come as one: then the last one's moment counts for all that it replaced."""
        last, tail = -1, b""
        while last < CHANGES - 1:
            data = tail + await self._lines.read(2**16)
            moment, tail = time(), data[-LONGEST_TICK:]
            newest = max(map(int, TICK.findall(data)), default=-1)
            self.seen.update(dict.fromkeys(range(last + 1, newest + 1), moment))
            last = max(last, newest)
        self._writer.close()


if __name__ == "__main__":
    main()
