"""Rings for every step whose time has come. One dispatcher leads, others wait for its end.

It also keeps the apps' watchers and schedules running, each in a thread of its own.
"""

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from django.conf import settings
from django.db import Error, close_old_connections, connection, transaction
from django.utils.module_loading import import_string
from django_q.models import OrmQ

from palette_portal.orchestration.changes import DISPATCHER_CHANNEL
from palette_portal.orchestration.claims import seconds_to_next_due, silent_steps
from palette_portal.orchestration.doorbell import ring_workers
from palette_portal.orchestration.listening import connect_listener

logger = logging.getLogger(__name__)

LEADER_LOCK = 0x70616C65747465  # "palette"
RING_AGAIN_SECONDS = 4.0
NEVER_SECONDS = 1e9
RINGS_PER_TICK = 200
TRY_AGAIN_SECONDS = 0.3
THREAD_AGAIN_SECONDS = 3.0
THREAD_STOP_SECONDS = 3.0

Watcher = Callable[[threading.Event], None]


def ring_due_steps() -> int:
    """A bell that rang may be lost with a worker; it rings again once nothing is queued before it."""
    with transaction.atomic():
        again = NEVER_SECONDS if OrmQ.objects.exists() else RING_AGAIN_SECONDS
        step_ids = silent_steps(ring_again_seconds=again, limit=RINGS_PER_TICK)
        ring_workers(step_ids)
    return len(step_ids)


class Dispatcher:
    def __init__(self) -> None:
        self._stopping = False

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        while not self._stopping:
            try:
                self._serve()
            except (Error, psycopg.Error):
                logger.warning("The dispatcher lost the database; connecting again.")
                connection.close()
                threading.Event().wait(TRY_AGAIN_SECONDS)

    def stop(self, number: int = 0, frame: object = None) -> None:
        self._stopping = True

    def _serve(self) -> None:
        with connect_listener(DISPATCHER_CHANNEL) as listener:
            while not self._stopping and not _take_lead(listener):
                _wait(listener, settings.ORCHESTRATION_TICK_SECONDS)
            if not self._stopping:
                self._lead(listener)

    def _lead(self, listener: psycopg.Connection) -> None:
        logger.info("This dispatcher leads.")
        with running_threads():
            while not self._stopping:
                close_old_connections()
                ring_due_steps()
                _wait(listener, _pause())


def _take_lead(listener: psycopg.Connection) -> bool:
    """The lock belongs to the listening connection, so the lead ends with it."""
    row = listener.execute("SELECT pg_try_advisory_lock(%s)", [LEADER_LOCK]).fetchone()
    return bool(row and row[0])


def _pause() -> float:
    """Until the next step is due; a tick at most, for what was missed."""
    seconds = seconds_to_next_due()
    tick: float = settings.ORCHESTRATION_TICK_SECONDS
    return tick if seconds is None else min(max(seconds, 0.002), tick)


def _wait(listener: psycopg.Connection, seconds: float) -> None:
    for _ in listener.notifies(timeout=seconds, stop_after=1):
        pass


@contextmanager
def running_threads() -> Iterator[None]:
    """The apps' watchers and schedules, until the lead ends."""
    stop = threading.Event()
    threads = [_start(_watch_for_ever, path, stop) for path in settings.ORCHESTRATION_WATCHERS]
    threads += [
        _start(_call_every, path, stop, seconds) for path, seconds in settings.ORCHESTRATION_SCHEDULES.items()
    ]
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(THREAD_STOP_SECONDS)


def _start(target: Callable[..., None], path: str, *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=(path, *arguments), name=path, daemon=True)
    thread.start()
    return thread


def _watch_for_ever(path: str, stop: threading.Event) -> None:
    while not stop.is_set():
        with _logged(path):
            watcher: Watcher = import_string(path)
            watcher(stop)
        stop.wait(THREAD_AGAIN_SECONDS)


def _call_every(path: str, stop: threading.Event, seconds: float) -> None:
    while not stop.wait(seconds):
        with _logged(path):
            import_string(path)()


@contextmanager
def _logged(path: str) -> Iterator[None]:
    close_old_connections()
    try:
        yield
    except Exception:
        logger.exception("%s ended with an error; it is started again.", path)
    finally:
        connection.close()
