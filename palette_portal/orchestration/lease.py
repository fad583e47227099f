"""Keeps a worker from acting with a lease that ended: it renews while a step runs, or kills the process.

Two threads: one renews on a database connection of its own, one only looks at the clock: the first may hang.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import Error, connection

from palette_portal.orchestration.claims import Claim, boot_clock
from palette_portal.orchestration.models import Step

logger = logging.getLogger(__name__)

STATEMENT_MILLISECONDS = 2000
CONNECT_AGAIN_SECONDS = 0.2


def kill_this_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class LeaseGuard:
    """One per worker process: `with guard(claim): ...` around the work on a step."""

    def __init__(self, *, give_up: Callable[[], None] = kill_this_process) -> None:
        self._give_up = give_up
        self._claim: Claim | None = None
        self._has_claim = threading.Event()
        self._threads: list[threading.Thread] = []
        self._is_stopped = False

    @contextmanager
    def __call__(self, claim: Claim) -> Iterator[None]:
        self._start_threads()
        self._claim = claim
        self._has_claim.set()
        try:
            yield
        finally:
            self._has_claim.clear()
            self._claim = None

    def stop(self) -> None:
        """End the threads and their connection; a worker process just ends."""
        self._is_stopped = True
        self._has_claim.set()
        for thread in self._threads:
            thread.join()

    def _start_threads(self) -> None:
        if not self._threads:
            self._threads = [
                threading.Thread(target=loop, name=loop.__name__, daemon=True)
                for loop in (self.renew, self.watch)
            ]
            for thread in self._threads:
                thread.start()

    def watch(self) -> None:
        """The last fifth of a lease belongs to nobody: it covers a kill that comes late."""
        lease = settings.ORCHESTRATION_LEASE_SECONDS
        while self._goes_on():
            claim = self._claim
            if claim and boot_clock() > claim.good_until - lease / 5:
                logger.critical("The lease of step %s could not be renewed; this worker ends.", claim.step_id)
                self._give_up()
            time.sleep(lease / 50)

    def renew(self) -> None:
        lease = settings.ORCHESTRATION_LEASE_SECONDS
        while self._goes_on():
            time.sleep(lease / 5)
            claim = self._claim
            if claim and not self._renew_if_needed(claim, lease):
                time.sleep(CONNECT_AGAIN_SECONDS)
        connection.close()

    def _goes_on(self) -> bool:
        """Wait for a step to guard."""
        return self._has_claim.wait() and not self._is_stopped

    def _renew_if_needed(self, claim: Claim, lease: float) -> bool:
        """A step that has just begun needs nothing: most are done before the first renewal."""
        if claim.good_until - boot_clock() > lease * 0.8:
            return True
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('statement_timeout', %s, false)", [str(STATEMENT_MILLISECONDS)]
                )
            if not claim.renew() and _belongs_to_another(claim):
                logger.critical("Another worker has step %s; this worker ends.", claim.step_id)
                self._give_up()
        except Error:
            logger.warning("The lease of step %s was not renewed; trying again.", claim.step_id)
            connection.close()
            return False
        return True


def _belongs_to_another(claim: Claim) -> bool:
    """Not ours any more, which a step that we have just finished still is."""
    return not Step.objects.filter(pk=claim.step_id, token=claim.token).exists()
