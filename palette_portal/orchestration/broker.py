"""django-q2's ORM broker, woken by NOTIFY instead of by polling, on the database's clock.

A doorbell is deleted when it is taken: if it is lost with the process, the dispatcher rings again. The queue
itself never delivers a second time, whatever its retry time is.
"""

import logging
import time

import psycopg
from django.db import Error, close_old_connections, connection
from django_q.brokers.orm import ORM
from django_q.conf import Conf

from palette_portal.orchestration.changes import WORKERS_CHANNEL
from palette_portal.orchestration.listening import connect_listener

logger = logging.getLogger(__name__)

TRY_AGAIN_SECONDS = 0.3
_TAKE = """
    DELETE FROM django_q_ormq WHERE id IN (
        SELECT id FROM django_q_ormq WHERE key = %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
    ) RETURNING id, payload
"""


class NotifyBroker(ORM):  # type: ignore[misc]
    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key)
        self._listener: psycopg.Connection | None = None

    def __setstate__(self, state: object) -> None:
        super().__setstate__(state)
        self._listener = None

    def dequeue(self) -> list[tuple[int, str]] | None:
        """Wait for a doorbell, at most the poll time. If it raised, django-q2 would sleep for ten seconds."""
        try:
            listener = self._listen()
            taken = self._take()
            if not taken:
                for _ in listener.notifies(timeout=Conf.POLL, stop_after=1):
                    pass
            return taken
        except (Error, psycopg.Error):
            logger.warning("The worker's queue is out of reach; trying again.")
            self.close()
            time.sleep(TRY_AGAIN_SECONDS)
            return None

    def acknowledge(self, task_id: int) -> None:
        """It is gone since it was taken."""

    def _take(self) -> list[tuple[int, str]] | None:
        close_old_connections()
        with connection.cursor() as cursor:
            cursor.execute(_TAKE, [self.list_key, Conf.BULK])
            return cursor.fetchall() or None

    def _listen(self) -> psycopg.Connection:
        """Before the first look into the queue, so that no bell rings between look and wait."""
        if self._listener is None:
            self._listener = connect_listener(WORKERS_CHANNEL)
        return self._listener

    def close(self) -> None:
        """Forget the connections; the next look makes new ones."""
        connection.close()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
