"""One open stream: subscribe first, replay what was missed, then follow; and look again who is there."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Hashable, MutableMapping
from typing import Any, Protocol

from django.db import DatabaseError, InterfaceError

from palette_portal.orchestration.stream.hub import Hub
from palette_portal.orchestration.stream.messages import Message, Subscription
from palette_portal.orchestration.stream.topics import Batch, Mailbox, Topic
from palette_portal.orchestration.stream.visitors import Visitor

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15.0
CHECK_SECONDS = 30.0
RECONNECT_MILLISECONDS = 1000
END = Message(event="end", html="")


class Opened(Protocol):
    """The request behind the stream."""

    @property
    def visitor(self) -> Visitor: ...
    @property
    def channel(self) -> object: ...
    @property
    def after(self) -> int | None: ...
    def open(self) -> Subscription | None: ...


class Stream:
    def __init__(
        self,
        hub: Hub,
        opening: Opened,
        subscription: Subscription,
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        self._hub = hub
        self._opening = opening
        self._subscription = subscription
        self._send = send
        self._mailbox = Mailbox(opening.visitor.fingerprint)
        self._sent_until = opening.after

    async def run(self) -> None:
        try:
            async with self._hub.member(self._key(), self._subscription, self._mailbox) as topic:
                await self._write(f"retry: {RECONNECT_MILLISECONDS}\n\n".encode())
                await self._replay(topic)
                await self._follow(topic)
        except (DatabaseError, InterfaceError):
            logger.warning("A stream lost the database; the browser comes again.")
        await self._send({"type": "http.response.body", "body": b""})

    def _key(self) -> Hashable:
        return (id(self._opening.channel), self._subscription.tenant_id, self._subscription.key)

    async def _replay(self, topic: Topic) -> None:
        after = self._sent_until
        if after is None:
            self._sent_until = topic.logged_until
        await self._write_new(await topic.replay(after))

    async def _follow(self, topic: Topic) -> None:
        clock = asyncio.get_running_loop().time
        # Spread, so that the streams of a restarted server do not look all at once.
        look_at = clock() + CHECK_SECONDS * random.uniform(0.5, 1)
        while True:
            await self._write_next(seconds=max(0.0, min(HEARTBEAT_SECONDS, look_at - clock())))
            if self._mailbox.has_ended:
                return
            if self._mailbox.must_replay:
                self._mailbox.must_replay = False
                await self._replay(topic)
            if clock() >= look_at:
                if not await self._is_still_allowed():
                    return
                look_at = clock() + CHECK_SECONDS

    async def _write_next(self, *, seconds: float) -> None:
        # Not wait_for, which before Python 3.12 may swallow the cancellation of a stream whose browser left.
        try:
            async with asyncio.timeout(seconds):
                batch = await self._mailbox.queue.get()
        except TimeoutError:
            await self._write(b": still here\n\n")
            return
        await self._write_new([*batch, *self._mailbox.rest()])

    async def _write_new(self, batch: Batch) -> None:
        """All at once, but for rows that the replay has sent already."""
        sent_until = self._sent_until or 0
        new = [(number, encoded) for number, encoded in batch if number is None or number > sent_until]
        if new:
            self._sent_until = max(sent_until, *(number or 0 for number, _ in new))
            await self._write(b"".join(encoded for _, encoded in new))

    async def _is_still_allowed(self) -> bool:
        """Ends for good when the right is gone; with other rights than before the browser comes again."""
        try:
            now = await self._hub.threads.run(self._opening.open)
        except (DatabaseError, InterfaceError):
            return True
        if now is None:
            await self._write(END.encode())
            return False
        return now.key == self._subscription.key

    async def _write(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
