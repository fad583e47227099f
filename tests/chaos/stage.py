"""PostgreSQL, workers and dispatchers as real processes; what dies is started again at once."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from cryptography.fernet import Fernet

from palette_portal.launcher.postgres import EmbeddedPostgres
from palette_portal.launcher.processes import spawn

ROOT = Path(__file__).resolve().parent.parent.parent
MANAGE = [sys.executable, str(ROOT / "manage.py")]
# Commits must survive kill -9 of PostgreSQL, so only what a crash of the whole machine would need is off.
QUICK = {"fsync": "off", "full_page_writes": "off"}
LOOK_SECONDS = 0.05
TABLES = """
    CREATE TABLE chaos_effect (operation text, key text);
    CREATE TABLE chaos_execution (operation text, key text, began_at timestamptz DEFAULT clock_timestamp());
"""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """One that another user, who runs PostgreSQL, can enter; pytest's own folders are closed to others."""
    with tempfile.TemporaryDirectory(prefix="palette-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@dataclass
class Program:
    name: str
    start: Callable[[], "subprocess.Popen[bytes]"]
    process: "subprocess.Popen[bytes]"


class Stage:
    """`with Stage(folder) as stage`. Every process is a child of this one and dies with it."""

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 2,
        dispatchers: int = 2,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.postgres = EmbeddedPostgres(folder / "postgres", options=QUICK)
        self._counts = {"worker": workers, "dispatcher": dispatchers}
        self._environment = dict(environment or {})
        self.programs: dict[str, Program] = {}

    def __enter__(self) -> "Stage":
        for name in ("things", "locks", "kills"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.postgres.start()
        try:
            self._prepare()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _prepare(self) -> None:
        self.manage("migrate", "--verbosity", "0")
        with self.connect() as connection:
            connection.execute(TABLES)
        # From here on the server is one more program that may die.
        self.postgres.stop()
        self.postgres.prepare()
        self._add("postgres", self.postgres.spawn)
        self.wait_for(self.is_database_up, seconds=30)
        for command, count in self._counts.items():
            for number in range(count):
                self._add(
                    f"{command}-{number}", lambda command=command: self._spawn([*MANAGE, command], command)
                )

    def __exit__(self, *failure: object) -> None:
        others = [program for program in self.programs.values() if program.name != "postgres"]
        for program in others:
            program.process.terminate()
        for program in others:
            with suppress(subprocess.TimeoutExpired):
                program.process.wait(10)
            program.process.kill()
            program.process.wait()
        if "postgres" in self.programs:
            self.programs["postgres"].process.send_signal(signal.SIGINT)
            self.programs["postgres"].process.wait(20)
        self.postgres.destroy()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
            "DATABASE_URL": self.postgres.url,
            "SECRET_KEY": "chaos",
            "ENCRYPTION_KEYS": KEY,
            "STATIC_FROM_SOURCE": "1",
            "ORCHESTRATION_WORKERS": "3",
            "CHAOS_FOLDER": str(self.folder),
            **self._environment,
        }

    def manage(self, *arguments: str) -> str:
        return self.run([*MANAGE, *arguments])

    def run(self, command: list[str]) -> str:
        done = subprocess.run(
            command, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def begin_operation(self, plan: str = "thirty_steps") -> str:
        """Patient: the server may be killed at this moment. Returns the operation's id."""
        ids: list[str] = []

        def has_begun() -> bool:
            with suppress(subprocess.CalledProcessError):
                ids.append(self.run([sys.executable, "-m", "tests.chaos.begin", plan]))
            return bool(ids)

        self.wait_for(has_begun, seconds=60)
        return ids[0]

    def connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(self.postgres.url, autocommit=True, connect_timeout=5)

    def ask(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Patient: the server may be down at this moment."""
        answers: list[list[tuple[object, ...]]] = []

        def is_answered() -> bool:
            with suppress(psycopg.OperationalError), self.connect() as connection:
                answers.append(connection.execute(query, values).fetchall())
            return bool(answers)

        self.wait_for(is_answered, seconds=30)
        return answers[0]

    def is_database_up(self) -> bool:
        with suppress(psycopg.OperationalError), self.connect() as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
        return False

    def wait_for(self, condition: Callable[[], bool], *, seconds: float) -> None:
        """Look after the processes until the condition is true."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.look_after()
            assert time.monotonic() < deadline, f"Waited {seconds} s in vain.\n{self.last_words()}"
            time.sleep(LOOK_SECONDS)

    def look_after(self) -> None:
        for program in self.programs.values():
            if program.process.poll() is not None:
                program.process = program.start()

    def are_all_up(self) -> bool:
        """Every worker main has its sentinel with children, the database answers."""
        workers = [
            program.process.pid for name, program in self.programs.items() if name.startswith("worker")
        ]
        return self.is_database_up() and all(len(descendants(pid)) >= 6 for pid in workers)

    def kill(self, program: str) -> None:
        self.programs[program].process.kill()

    def kill_somebody(self, chance: random.Random) -> str:
        """A main process or any of its descendants: sentinel, pusher, monitor, worker, a server's backend."""
        program = chance.choice(list(self.programs.values()))
        family = [program.process.pid, *descendants(program.process.pid)]
        # A dead backend only makes PostgreSQL restart; the postmaster's own death is the harder case.
        victim = program.process.pid if program.name == "postgres" else chance.choice(family)
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
        return f"{program.name} ({family.index(victim)})"

    def last_words(self) -> str:
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text()[-1500:]}" for log in logs)

    def _add(self, name: str, start: Callable[[], "subprocess.Popen[bytes]"]) -> None:
        self.programs[name] = Program(name, start, start())

    def _spawn(self, command: list[str], name: str) -> "subprocess.Popen[bytes]":
        return spawn(command, log=self.folder / f"{name}.log", environment=self.environment, folder=ROOT)


KEY = Fernet.generate_key().decode()


def descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, new = [], [pid]
    while new:
        new = [child for parent in new for child in children.get(parent, [])]
        found += new
    return found
