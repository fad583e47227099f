"""The worker's process tree: django-q2's cluster, made to survive the death of any of its processes.

What stock django-q2 does not survive (measured): an idle worker or the pusher killed with a queue's lock in
its hands stops the cluster for ever; children outlive a killed parent; the main process ends silently with
its sentinel. Here children die with their parent, and the main process starts the tree again.
"""

import ctypes
import logging
import os
import signal
import threading
import time
from multiprocessing import Event, Value
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import RawValue
from typing import Any
from uuid import uuid4

from django.db import Error, connection, connections, transaction
from django_q.cluster import Sentinel, get_mp_context
from django_q.worker import worker

from palette_portal.launcher.processes import die_with_parent
from palette_portal.orchestration.claims import boot_clock, release_steps_of_the_dead
from palette_portal.orchestration.doorbell import ring_workers
from palette_portal.orchestration.engine import DATABASE_GONE, run_next_step
from palette_portal.orchestration.lease import LeaseGuard

logger = logging.getLogger(__name__)

CHAIN_SECONDS = 2.0
STOP_SECONDS = 4.5
LOOK_SECONDS = 0.2
RELEASE_SECONDS = 1.0
STUCK_SECONDS = 15.0
START_AGAIN_SECONDS = 0.5
EXIT_START_AGAIN = 75

_guard = LeaseGuard()


def answer_doorbell(step_id: str) -> None:
    """Do what is most urgent for a while: that step, those before it, and the next ones of a chain.

    Where all workers are busy its turn comes with another bell.
    """
    try:
        until = time.monotonic() + CHAIN_SECONDS
        while run_next_step(guard=_guard) and time.monotonic() < until:
            pass
    except DATABASE_GONE:
        logger.warning("The database went away; the step goes on when its lease has ended.")
        connection.close()


class NoResults:
    """A result queue's lock can die with a worker. Nobody needs the results: they are in the step's row."""

    def put(self, task: object) -> None:
        return


class GuardedSentinel(Sentinel):  # type: ignore[misc]
    """Replaces what can be replaced; ends the whole tree when a queue may be left locked."""

    def __init__(self, *arguments: Any, pulse: Any) -> None:
        self._pulse = pulse
        super().__init__(*arguments)

    def spawn_worker(self) -> None:
        self.spawn_process(worker, self.task_queue, NoResults(), Value("f", -1), self.timeout)

    def status(self) -> str:
        """django-q2 asks in every turn of its loops: the sign of life for the main process."""
        self._pulse.value = boot_clock()
        status: str = super().status()
        return status

    def reincarnate(self, process: BaseProcess) -> None:
        if process == self.pusher or (process in self.pool and _died_idle(process)):
            logger.critical("%s died with a queue perhaps locked: all workers start again.", process.name)
            os._exit(EXIT_START_AGAIN)
        super().reincarnate(process)


def _died_idle(process: Any) -> bool:
    """An idle worker waits inside the queue's lock; a busy one holds none."""
    return process.exitcode is not None and process.exitcode < 0 and process.timer.value == -1


class WorkerTree:
    """The main process: keeps one sentinel with its workers alive until it is told to stop."""

    def __init__(self) -> None:
        self._stopping = False

    def run(self) -> None:
        _let_children_die_with_their_parent()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self._stopping:
            self._run_once()

    def _stop(self, number: int, frame: object) -> None:
        self._stopping = True

    def _run_once(self) -> None:
        _release_and_ring()
        connections.close_all()
        stop_event, pulse = Event(), RawValue(ctypes.c_double, boot_clock())
        sentinel = get_mp_context().Process(
            target=GuardedSentinel, args=(stop_event, Event(), uuid4()), kwargs={"pulse": pulse}
        )
        sentinel.start()
        self._watch(sentinel, pulse)
        if self._stopping:
            _stop_gently(sentinel, stop_event)
        else:
            logger.critical("The workers' sentinel ended; starting again.")
            time.sleep(START_AGAIN_SECONDS)

    def _watch(self, sentinel: BaseProcess, pulse: Any) -> None:
        released_at = boot_clock()
        while not self._stopping and sentinel.is_alive():
            sentinel.join(LOOK_SECONDS)
            if boot_clock() - released_at > RELEASE_SECONDS:
                _release_and_ring()
                released_at = boot_clock()
            if boot_clock() - pulse.value > STUCK_SECONDS:
                logger.critical("The workers' sentinel is stuck.")
                sentinel.kill()
                sentinel.join()


def _stop_gently(sentinel: BaseProcess, stop_event: Any) -> None:
    """Let steps end for a moment. The event's lock may be dead, so another thread takes it."""
    threading.Thread(target=stop_event.set, daemon=True).start()
    sentinel.join(STOP_SECONDS)
    if sentinel.is_alive():
        logger.warning("Steps still run; they go on with the next worker.")
        sentinel.kill()
        sentinel.join()


def _release_and_ring() -> None:
    """Steps of killed workers of this machine go on at once."""
    try:
        with transaction.atomic():
            ring_workers(release_steps_of_the_dead())
    except Error:
        connection.close()


def _let_children_die_with_their_parent() -> None:
    parents: list[int] = []

    def follow() -> None:
        die_with_parent()
        if os.getppid() != parents[-1]:
            os._exit(EXIT_START_AGAIN)

    os.register_at_fork(before=lambda: parents.append(os.getpid()), after_in_child=follow)
