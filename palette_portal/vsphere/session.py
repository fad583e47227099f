"""Sessions with vCenter. Each one that logs in logs out: none is left behind on the server.

`connect` gives one session for a block of code; `sessions.get` the process's cached one, checked alive.
"""

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.util import Finalize
from typing import Any, Self

from palette_portal.vsphere.endpoint import Endpoint, parse_server
from palette_portal.vsphere.errors import LoginRefused, NotVCenter, SessionExpired, VSphereError
from palette_portal.vsphere.records import Record, SessionRecords
from palette_portal.vsphere.soap import Stub
from palette_portal.vsphere.trust import Timeouts, Trust
from palette_portal.vsphere.version import About, check_version, read_about
from palette_portal.vsphere.vmomi import vim, vmodl

logger = logging.getLogger(__name__)

ALIVE_FOR_SECONDS = 30
IDLE_SECONDS = 15 * 60
SWEEP_SECONDS = 60
REFUSED_FOR_SECONDS = 60  # vCenter locks an account after five wrong passwords in three minutes

# Where the processes of a machine note what they have open; nowhere unless `keep_records` was called.
_records: SessionRecords | None = None


def keep_records(records: SessionRecords | None) -> None:
    global _records
    _records = records


@dataclass(frozen=True)
class Credentials:
    server: str
    username: str
    password: str = field(repr=False)
    thumbprint_sha256: str = ""
    ca_pem: str = field(default="", repr=False)

    @property
    def endpoint(self) -> Endpoint:
        return parse_server(self.server)

    @property
    def trust(self) -> Trust:
        return Trust(self.thumbprint_sha256, self.ca_pem)


class VCenter:
    """One session. A call that finds it ended logs in again, unless it was closed."""

    def __init__(self, credentials: Credentials, timeouts: Timeouts | None = None) -> None:
        self.credentials = credentials
        self.timeouts = timeouts or Timeouts()
        self.stub = Stub(credentials.endpoint, credentials.trust, self.timeouts)
        self.service_instance: Any = vim.ServiceInstance("ServiceInstance", self.stub)
        self.content: Any = None
        self.rest_round_trips = 0
        self.closed = False
        self._logging_in = threading.RLock()
        self._record: Record | None = None

    @property
    def about(self) -> About:
        return read_about(self.content.about)

    @property
    def server(self) -> str:
        return str(self.stub.endpoint)

    @property
    def round_trips(self) -> int:
        """Times that an answer was waited for, SOAP and REST."""
        return int(self.stub.round_trips) + self.rest_round_trips

    def count_rest(self) -> None:
        self.rest_round_trips += 1

    def managed(self, kind: str, moid: str) -> Any:
        """The live object, to call methods on; its properties are read through `properties`."""
        return getattr(vim, kind)(moid, self.stub)

    def open(self) -> Self:
        """Log in, after looking whether this is a server we work with at all."""
        try:
            self.content = self._retrieve_content()
            check_version(self.about)
            self.stub.speak(self.about.api_version)
            self._log_in()
        except BaseException:
            self.stub.DropConnections()
            raise
        self.stub.log_in_again = self.log_in_again
        return self

    def _retrieve_content(self) -> Any:
        content = self.service_instance.RetrieveContent()
        if not isinstance(content, vim.ServiceInstanceContent):
            raise NotVCenter(f"{self.server} does not answer as a vCenter does.")
        return content

    def _log_in(self) -> None:
        self.content.sessionManager.Login(self.credentials.username, self.credentials.password, None)
        self._forget_record()
        if _records is not None:
            self._record = _records.keep(
                server=self.credentials.server, trust=self.credentials.trust, cookie=self.stub.cookie
            )
            _records.end_those_of_the_dead(at_most_every=SWEEP_SECONDS)

    def _forget_record(self, *, is_over: bool = True) -> None:
        """A session that could not be logged out is tried again by whoever comes next."""
        record, self._record = self._record, None
        if record is not None and _records is not None:
            _records.forget(record) if is_over else _records.let_go(record)

    def log_in_again(self, cookie: str) -> None:
        """A new session in place of the one of this cookie; once, however many threads noticed its end."""
        with self._logging_in:
            if self.closed:
                raise SessionExpired(f"The session with {self.server} was closed.")
            if self.stub.cookie == cookie:
                self._log_in()

    def is_alive(self) -> bool:
        """Whether the server still knows the session. Does not log in again."""
        try:
            return self.content.sessionManager.currentSession is not None
        except (VSphereError, vmodl.MethodFault):
            return False

    def close(self) -> None:
        """Log out. Never fails: a server that is gone has no session either."""
        with self._logging_in:
            self.closed = True
        try:
            self.content.sessionManager.Logout()
        except VSphereError as error:
            logger.info("Could not log out of %s: %s", self.server, error.sentence)
            self._forget_record(is_over=isinstance(error, SessionExpired))
        else:
            self._forget_record()
        finally:
            self.stub.end()

    def abandon(self) -> None:
        """Forget a session that belongs to the parent process: it is still used there."""
        self.closed = True
        self._forget_record(is_over=False)
        self.stub.abandon()


@contextmanager
def connect(credentials: Credentials, timeouts: Timeouts | None = None) -> Iterator[VCenter]:
    vcenter = VCenter(credentials, timeouts).open()
    try:
        yield vcenter
    finally:
        vcenter.close()


SessionKey = tuple[str, str, str, str]


@dataclass
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    vcenter: VCenter | None = None
    checked_at: float = 0.0
    used_at: float = 0.0
    closed: bool = False
    refused: LoginRefused | None = None
    refused_at: float = 0.0


class Sessions:
    """The process's sessions, one per server, user, password and trust. Safe for threads and after a fork."""

    def __init__(self, timeouts: Timeouts | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.timeouts = timeouts or Timeouts()
        self.clock = clock
        self._start_empty()

    def _start_empty(self) -> None:
        self._entries: dict[SessionKey, _Entry] = {}
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._closes_at_exit = False

    def configure(self, *, connect_seconds: float, read_seconds: float) -> None:
        self.timeouts = Timeouts(connect_seconds, read_seconds)

    def get(self, credentials: Credentials, *, ask_again: bool = False) -> VCenter:
        """`ask_again`: the caller sees to it that a refused login is not tried too often."""
        self._forget_inherited()
        key = _key(credentials)
        vcenter, opened = self._get(key, credentials, ask_again)
        if opened:
            self._close_superseded(key)
        self._close_idle()
        return vcenter

    def _get(self, key: SessionKey, credentials: Credentials, ask_again: bool) -> tuple[VCenter, bool]:
        """The session and whether it is new. An entry that was closed while we waited for it is not used."""
        while True:
            with self._lock:
                entry = self._entries.setdefault(key, _Entry(used_at=self.clock()))
            with entry.lock:
                if entry.closed:
                    continue
                live = self._live(entry)
                entry.used_at = self.clock()
                return live or self._open(entry, credentials, ask_again), live is None

    def close(self, credentials: Credentials) -> None:
        """End the session of a login that is not used any more."""
        self._forget_inherited()
        gone = _key(credentials)
        self._close_where(lambda key, _entry: key == gone)

    def close_all(self) -> None:
        self._forget_inherited()
        with self._lock:
            entries, self._entries = self._entries, {}
        for entry in entries.values():
            _close(entry)
        if _records is not None:
            _records.end_those_of_the_dead()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close_all()

    def _forget_inherited(self) -> None:
        if self._pid == os.getpid():
            return
        for entry in self._entries.values():
            if entry.vcenter is not None:
                entry.vcenter.abandon()
        self._start_empty()

    def _live(self, entry: _Entry) -> VCenter | None:
        if entry.vcenter is None:
            return None
        if self.clock() - entry.checked_at < ALIVE_FOR_SECONDS:
            return entry.vcenter
        if entry.vcenter.is_alive():
            entry.checked_at = self.clock()
            return entry.vcenter
        _close_vcenter(entry)
        return None

    def _open(self, entry: _Entry, credentials: Credentials, ask_again: bool) -> VCenter:
        is_recent = self.clock() - entry.refused_at < REFUSED_FOR_SECONDS
        if entry.refused and is_recent and not ask_again:
            raise LoginRefused(entry.refused.sentence, entry.refused.hint, remembered=True)
        self._close_at_exit()
        try:
            entry.vcenter = VCenter(credentials, self.timeouts).open()
        except LoginRefused as refused:
            entry.refused, entry.refused_at = refused, self.clock()
            raise
        entry.refused, entry.checked_at = None, self.clock()
        return entry.vcenter

    def _close_at_exit(self) -> None:
        """Unlike atexit, this also runs at the end of multiprocessing's children: the workers."""
        if not self._closes_at_exit:
            self._closes_at_exit = True
            Finalize(None, self.close_all, exitpriority=1)

    def _close_superseded(self, key: SessionKey) -> None:
        """A new password logged in, so sessions made with an older one end."""
        self._close_where(lambda other, _entry: other != key and other[:2] == key[:2] and other[3] == key[3])

    def _close_idle(self) -> None:
        limit = self.clock() - IDLE_SECONDS
        self._close_where(lambda _key, entry: entry.used_at < limit and not entry.lock.locked())

    def _close_where(self, condition: Callable[[SessionKey, _Entry], bool]) -> None:
        with self._lock:
            keys = [key for key, entry in self._entries.items() if condition(key, entry)]
            entries = [self._entries.pop(key) for key in keys]
        for entry in entries:
            _close(entry)


def _key(credentials: Credentials) -> SessionKey:
    password = hashlib.sha256(credentials.password.encode()).hexdigest()
    trust = hashlib.sha256(f"{credentials.thumbprint_sha256}\n{credentials.ca_pem}".encode()).hexdigest()
    return str(credentials.endpoint).lower(), credentials.username, password, trust


def _close(entry: _Entry) -> None:
    with entry.lock:
        entry.closed = True
        _close_vcenter(entry)


def _close_vcenter(entry: _Entry) -> None:
    vcenter, entry.vcenter = entry.vcenter, None
    if vcenter is not None:
        vcenter.close()


sessions = Sessions()
os.register_at_fork(after_in_child=sessions._forget_inherited)
