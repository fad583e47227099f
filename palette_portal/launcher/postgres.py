"""An embedded PostgreSQL in a data folder of its own: one unix socket, passwords by scram, no TCP port.

Whatever is killed whenever, committed data stays and the next start works.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psycopg

from palette_portal.launcher.accounts import Account, account_for
from palette_portal.launcher.binaries import binaries_for, major_version
from palette_portal.launcher.processes import spawn

USER = DATABASE = "portal"
# A unix socket's path ends at 107 bytes on Linux and PostgreSQL adds its own name to the folder.
LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.5432.lock")
HOME_OUT_OF_REACH = Path("/var/lib/palette-portal")
SIGNPOST = "elsewhere"
# After kill -9 of the postmaster its backends need a moment to leave; until then a new one refuses to start.
BUSY = ("lock file", "shared memory block")


class PostgresFailed(Exception):
    """It cannot be started; the text says why and what to do."""


class EmbeddedPostgres:
    """`start()`, use `url`, `stop()`. A supervisor: `prepare()`, `launch()`, then `spawn()` to restart."""

    def __init__(self, folder: Path, *, options: Mapping[str, str] | None = None) -> None:
        self.folder = folder.absolute()
        self.options = {"max_connections": "200", **(options or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[bytes] | None = None
        self._account: Account | None = None
        self._binaries = self._home = self._sockets = Path()

    @property
    def url(self) -> str:
        """For DATABASE_URL; both libpq and Django read it."""
        password = (self._home / "password").read_text()
        return f"postgresql://{USER}:{password}@/{DATABASE}?host={quote(str(self._sockets), safe='/')}"

    @property
    def log(self) -> Path:
        return self._home / "postgres.log"

    def start(self, *, seconds: float = 60) -> None:
        self.prepare()
        try:
            self._process = self.launch(seconds=seconds)
        except BaseException:
            self.release()
            raise

    def launch(self, *, seconds: float = 60) -> subprocess.Popen[bytes]:
        """The postmaster, ready for use; waits for the remains of one that was killed."""
        deadline = time.monotonic() + seconds
        while True:
            process = self.spawn()
            try:
                self._wait_ready(process, seconds=deadline - time.monotonic())
                return process
            except BaseException as error:
                process.kill()
                process.wait()
                is_late = time.monotonic() > deadline - 1
                if not isinstance(error, PostgresFailed) or is_late or not self._is_busy():
                    raise
            time.sleep(0.2)

    def stop(self, *, seconds: float = 10) -> None:
        """A fast shutdown: open transactions are rolled back, committed ones are on disk."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None
        self.release()

    def kill(self) -> None:
        """End the postmaster with -9, as a crash would; `start()` brings back all that was committed."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def destroy(self) -> None:
        """Stop and delete all data: for tests."""
        self.stop()
        for folder in (self._home, self._sockets, self.folder):
            shutil.rmtree(folder, ignore_errors=True)

    def prepare(self) -> None:
        """Everything but the server process: folders, programs, the data of a new cluster."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        try:
            self._account = account_for(self.folder / "data", self._home_out_of_reach() / "data")
            self._home = self._choose_home()
            self._sockets = self._choose_sockets()
            self._binaries = binaries_for(self._account, self._home)
            if not (self._home / "data" / "PG_VERSION").exists():
                self._create_cluster()
            self._check_version()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        if self._lock is not None:
            self._lock.close()
        self._lock = None

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the postmaster once; it shuts down by itself when we die."""
        self.log.write_bytes(b"")
        options = [part for name, value in self.options.items() for part in ("-c", f"{name}={value}")]
        sockets = ["-k", str(self._sockets), "-h", "", "-c", f"unix_socket_permissions={self._socket_mode()}"]
        return self._spawn([self._binaries / "postgres", "-D", self._home / "data", *sockets, *options])

    def _wait_ready(self, process: subprocess.Popen[bytes], *, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < deadline:
            try:
                return self._ensure_database()
            except psycopg.OperationalError:
                time.sleep(0.03)
        raise PostgresFailed(f"PostgreSQL did not start. {self.log} ends with:\n{self._last_lines()}")

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        lock = (self.folder / "lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise PostgresFailed(
                f"Another process uses the data folder {self.folder}. End it first, or choose another DATA."
            ) from None
        self._lock = lock

    def _choose_home(self) -> Path:
        """Where data and programs live: `folder`, unless the other account cannot get there (below /root)."""
        if self._account is None or self._account.can_enter(self.folder):
            return self.folder
        home = self._home_out_of_reach()
        home.mkdir(parents=True, exist_ok=True, mode=0o755)
        signpost = self.folder / SIGNPOST
        signpost.unlink(missing_ok=True)
        signpost.symlink_to(home)
        return home

    def _home_out_of_reach(self) -> Path:
        return HOME_OUT_OF_REACH / _short_name(self.folder)

    def _choose_sockets(self) -> Path:
        folder = self._home / "run"
        if len(os.fsencode(folder)) > LONGEST_SOCKET_FOLDER:
            folder = Path(tempfile.gettempdir()) / f"palette-{_short_name(self.folder)}"
        self._make_private(folder)
        return folder

    def _make_private(self, folder: Path) -> None:
        """Make `folder` for the server's account; refuse one that somebody else put there first."""
        folder.mkdir(exist_ok=True, mode=0o700)
        owner = self._account.uid if self._account else os.geteuid()
        if folder.is_symlink() or folder.stat().st_uid not in (owner, os.geteuid()):
            raise PostgresFailed(f"{folder} belongs to somebody else. Remove it, or choose another DATA.")
        if self._account:
            self._account.own(folder)

    def _socket_mode(self) -> str:
        return "0777" if self._account else "0700"

    def _create_cluster(self) -> None:
        """In a folder beside and renamed when complete: an interrupted one is made again."""
        half_done = self._home / "data.new"
        shutil.rmtree(half_done, ignore_errors=True)
        self._make_private(half_done)
        password_file = self._write_password()
        builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        locale = builtin if major_version(self._binaries) >= 17 else ["--locale=C.UTF-8"]
        what = ["-D", str(half_done), "-U", USER, "-E", "UTF8", "-A", "scram-sha-256", *locale]
        process = self._spawn([self._binaries / "initdb", *what, f"--pwfile={password_file}"])
        try:
            if process.wait(120) != 0:
                raise PostgresFailed(f"PostgreSQL could not create its data folder:\n{self._last_lines()}")
        finally:
            password_file.unlink()
        half_done.rename(self._home / "data")

    def _write_password(self) -> Path:
        """Keep the password for us (0600) and leave a copy for initdb, which runs as somebody else."""
        password = secrets.token_urlsafe(24)
        for path in (self._home / "password", self._home / "password.initdb"):
            path.unlink(missing_ok=True)
            path.touch(mode=0o600)
            path.write_text(password)
        if self._account:
            self._account.own(path)
        return path

    def _check_version(self) -> None:
        found, ours = (self._home / "data" / "PG_VERSION").read_text().strip(), major_version(self._binaries)
        if found != str(ours):
            raise PostgresFailed(
                f"The data in {self._home / 'data'} was written by PostgreSQL {found}, the programs here are "
                f"PostgreSQL {ours}. Set PORTAL_PG_BIN to a PostgreSQL {found}, dump with pg_dump, move the "
                "data folder away, start again and load the dump with psql."
            )

    def _ensure_database(self) -> None:
        with psycopg.connect(self.url, dbname="postgres", connect_timeout=5, autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if known is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _spawn(self, command: list[str | Path]) -> subprocess.Popen[bytes]:
        clean = {"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC", "LANG": "C.UTF-8"}
        return spawn(
            command,
            log=self.log,
            environment=clean,
            account=self._account,
            folder=Path("/"),
            death_signal=signal.SIGINT,
        )

    def _is_busy(self) -> bool:
        text = self._last_lines()
        return any(sign in text for sign in BUSY)

    def _last_lines(self, count: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])


def _short_name(folder: Path) -> str:
    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
