"""Notes of the sessions that the processes of this machine have open: one that is killed cannot log out.

A session is a file that its process holds locked. The lock ends with the process, however it ends, and the
next process that opens or closes a session logs out for the dead. What a file says is sealed: it is a login.
"""

import fcntl
import json
import logging
import math
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from palette_portal.vsphere.endpoint import parse_server
from palette_portal.vsphere.errors import Unreachable, VSphereError
from palette_portal.vsphere.soap import Stub
from palette_portal.vsphere.trust import Timeouts, Trust
from palette_portal.vsphere.vmomi import vim

logger = logging.getLogger(__name__)

# A person may be waiting for the session that is opened meanwhile.
LOG_OUT = Timeouts(connect_seconds=3, read_seconds=5)
# vCenter has long ended an idle session by then.
KEPT_SECONDS = 2 * 60 * 60

Seal = Callable[[str], str]


@dataclass(frozen=True)
class Record:
    path: Path
    file: int = field(repr=False)


class SessionRecords:
    def __init__(self, folder: Path, *, seal: Seal, unseal: Seal) -> None:
        self.folder, self.seal, self.unseal = folder, seal, unseal
        self._mine: set[Path] = set()
        self._swept_at = -math.inf

    def keep(self, *, server: str, trust: Trust, cookie: str) -> Record | None:
        """None where nothing can be written: then only vCenter's idle time ends what a killed process had."""
        note = {
            "server": server,
            "cookie": cookie,
            "thumbprint": trust.thumbprint_sha256,
            "ca": trust.ca_pem,
        }
        path = self.folder / f"{os.getpid()}-{secrets.token_hex(8)}"
        try:
            return self._write(path, self.seal(json.dumps(note)))
        except OSError as problem:
            logger.warning("Open sessions cannot be noted in %s: %s", self.folder, problem)
            return None

    def forget(self, record: Record) -> None:
        """Its session was logged out."""
        with suppress(OSError):
            record.path.unlink()
        self.let_go(record)

    def let_go(self, record: Record) -> None:
        """The session may be open still: of the parent in a forked child, to which locks do not pass."""
        self._mine.discard(record.path)
        with suppress(OSError):
            os.close(record.file)

    def end_those_of_the_dead(self, *, at_most_every: float = 0) -> int:
        """Log out for processes that do not run any more; the number of sessions ended."""
        if time.monotonic() - self._swept_at < at_most_every:
            return 0
        self._swept_at = time.monotonic()
        ended = 0
        with suppress(Unreachable):
            for path in self._of_others():
                ended += self._end(path)
        return ended

    def _write(self, path: Path, text: str) -> Record:
        """Seen by others only when it is locked."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        hidden = path.with_name(f".{path.name}")
        file = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.lockf(file, fcntl.LOCK_EX)
        os.write(file, text.encode())
        # Before it is to be seen: to open and close an own file would end its lock.
        self._mine.add(path)
        hidden.rename(path)
        return Record(path, file)

    def _of_others(self) -> Iterator[Path]:
        with suppress(OSError):
            for path in sorted(self.folder.iterdir()):
                if not path.name.startswith(".") and path not in self._mine:
                    yield path

    def _end(self, path: Path) -> bool:
        """Raise Unreachable: then the others wait for the next time, too."""
        with suppress(OSError), path.open("r+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_old = time.time() - path.stat().st_mtime > KEPT_SECONDS
            if is_old or self._log_out(file.read()):
                path.unlink()
                return not is_old
        return False

    def _log_out(self, sealed: str) -> bool:
        """Whether the session is gone. What was sealed with other keys cannot be read."""
        try:
            note = json.loads(self.unseal(sealed))
        except Exception:
            return False
        stub = _stub(note)
        try:
            vim.SessionManager("SessionManager", stub).Logout()
        except Unreachable:
            raise
        except VSphereError as error:
            logger.info("Could not log out of %s: %s", note["server"], error.sentence)
        finally:
            stub.end()
        return True


def _stub(note: dict[str, Any]) -> Stub:
    stub = Stub(parse_server(note["server"]), Trust(note["thumbprint"], note["ca"]), LOG_OUT)
    stub.cookie = note["cookie"]
    return stub
