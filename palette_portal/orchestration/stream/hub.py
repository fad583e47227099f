"""One LISTEN connection per web process; everything heard goes to the topics that want it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager, suppress

import psycopg
from psycopg import sql

from palette_portal.orchestration.changes import PAGES_CHANNEL, Change
from palette_portal.orchestration.listening import connection_parameters
from palette_portal.orchestration.stream.messages import Subscription
from palette_portal.orchestration.stream.threads import DatabaseThreads
from palette_portal.orchestration.stream.topics import Mailbox, Topic
from palette_portal.orchestration.stream.visitors import LOGOUT_PREFIX

logger = logging.getLogger(__name__)

LOOK_SECONDS = 15.0
CONNECT_AGAIN_SECONDS = 0.3


class Hub:
    """Lives in the event loop of one web process. The first stream starts it."""

    def __init__(self) -> None:
        self.threads = DatabaseThreads()
        self._topics: dict[Hashable, Topic] = {}
        self._listening = asyncio.Event()
        self._is_ending = False
        self._task: asyncio.Task[None] | None = None

    async def ensure_listening(self, *, seconds: float) -> bool:
        if self._task is None:
            self._task = asyncio.create_task(self._listen_for_ever())
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._listening.wait()
        return self._listening.is_set()

    @asynccontextmanager
    async def member(
        self, key: Hashable, subscription: Subscription, mailbox: Mailbox
    ) -> AsyncIterator[Topic]:
        topic = self._topics.setdefault(key, Topic(subscription, self.threads))
        topic.subscription = subscription
        try:
            await topic.join(mailbox)
            if self._is_ending:
                mailbox.end()
            yield topic
        finally:
            topic.leave(mailbox)
            if not topic.mailboxes:
                self._topics.pop(key, None)

    def end_all(self) -> None:
        """For the shutdown of the web process."""
        self._is_ending = True
        for mailbox in self._mailboxes():
            mailbox.end()

    async def close(self) -> None:
        """Give back everything that belongs to the event loop and to the database."""
        self.end_all()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.to_thread(self.threads.close)

    async def _listen_for_ever(self) -> None:
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError):
                logger.warning("Live pages lost the database; connecting again.")
            except Exception:
                logger.exception("Live pages could not listen; trying again.")
            self._listening.clear()
            await asyncio.sleep(CONNECT_AGAIN_SECONDS)

    async def _listen(self) -> None:
        parameters = connection_parameters()
        async with await psycopg.AsyncConnection.connect(autocommit=True, **parameters) as connection:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(PAGES_CHANNEL)))
            # Whatever happened while nobody listened is in the tables.
            for topic in self._topics.values():
                topic.hear_that_some_were_missed()
            self._listening.set()
            while True:
                async for heard in connection.notifies(timeout=LOOK_SECONDS):
                    self._hear(heard.payload)
                await connection.execute("SELECT 1")

    def _hear(self, payload: str) -> None:
        if payload.startswith(LOGOUT_PREFIX):
            self._end_session(payload.removeprefix(LOGOUT_PREFIX))
            return
        change = Change.from_json(payload)
        for topic in self._topics.values():
            topic.hear(change)

    def _end_session(self, fingerprint: str) -> None:
        for mailbox in self._mailboxes():
            if mailbox.fingerprint == fingerprint:
                mailbox.end()

    def _mailboxes(self) -> list[Mailbox]:
        return [mailbox for topic in self._topics.values() for mailbox in topic.mailboxes]
