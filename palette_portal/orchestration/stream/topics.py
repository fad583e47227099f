"""What equal pages share: changes are rendered once and put into the queue of every stream."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from palette_portal.orchestration.changes import Change
from palette_portal.orchestration.models import Event
from palette_portal.orchestration.stream.messages import Message, Subscription
from palette_portal.orchestration.stream.threads import DatabaseThreads

logger = logging.getLogger(__name__)

QUEUED_BATCHES = 100
# Changes that come within this time after a rendering are rendered together.
GATHER_SECONDS = 0.015
AGAIN_SECONDS = 0.5

Encoded = tuple[int | None, bytes]
Batch = list[Encoded]


@dataclass(eq=False)
class Mailbox:
    """A stream's own queue. One that overflows is emptied, and the stream replays from the tables."""

    fingerprint: str
    queue: "asyncio.Queue[Batch]" = field(default_factory=lambda: asyncio.Queue(QUEUED_BATCHES))
    must_replay: bool = False
    has_ended: bool = False

    def put(self, batch: Batch) -> None:
        if self.must_replay:
            return
        try:
            self.queue.put_nowait(batch)
        except asyncio.QueueFull:
            self.replay()

    def rest(self) -> Batch:
        """What came while the stream wrote: one write instead of many lets a busy server catch up."""
        return [message for _ in range(self.queue.qsize()) for message in self.queue.get_nowait()]

    def replay(self) -> None:
        self.must_replay = True
        self._wake()

    def end(self) -> None:
        self.has_ended = True
        self._wake()

    def _wake(self) -> None:
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait([])


class SharedReplays:
    """Streams that come at the same time, as after a restart of the server, share one rendering.

    One that has begun is not joined: it may have looked before the newcomer's mailbox was there.
    """

    def __init__(self, threads: DatabaseThreads) -> None:
        self._threads = threads
        self._running: dict[int | None, asyncio.Task[Batch]] = {}
        self._next: dict[int | None, asyncio.Task[Batch]] = {}

    async def get(self, subscription: Subscription, after: int | None) -> Batch:
        if after not in self._next:
            self._next[after] = asyncio.create_task(self._render(subscription, after))
        return await asyncio.shield(self._next[after])

    async def _render(self, subscription: Subscription, after: int | None) -> Batch:
        if before := self._running.get(after):
            await asyncio.wait({before})
        self._running[after] = self._next.pop(after)
        try:
            return await self._threads.run(_replay, subscription, after)
        finally:
            del self._running[after]


class Topic:
    """Renders changes in their order, one batch at a time, as long as somebody looks."""

    def __init__(self, subscription: Subscription, threads: DatabaseThreads) -> None:
        self.subscription = subscription
        self.mailboxes: set[Mailbox] = set()
        self._replays = SharedReplays(threads)
        self._threads = threads
        self._pending: dict[tuple[str, UUID, UUID | None], Change] = {}
        self._has_news = asyncio.Event()
        self.logged_until = 0
        self._ready: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def join(self, mailbox: Mailbox) -> None:
        """From here on the mailbox gets every message; what was before is the stream's own replay."""
        self.mailboxes.add(mailbox)
        if self._ready is None:
            self._ready = asyncio.create_task(self._begin())
        await asyncio.shield(self._ready)

    def leave(self, mailbox: Mailbox) -> None:
        self.mailboxes.discard(mailbox)
        if not self.mailboxes and self._task:
            self._task.cancel()

    async def replay(self, after: int | None) -> Batch:
        """The parts as they are now, and the log rows after this number (None: no rows)."""
        return await self._replays.get(self.subscription, after)

    def hear(self, change: Change) -> None:
        if not self.subscription.wants(change):
            return
        same_part = (change.subject_kind, change.subject_id, change.step_id)
        # In its first place: a page learns of steps with their cluster before it hears of one of them.
        before = self._pending.get(same_part)
        if before and change.event_number is None and before.event_number:
            change = before
        self._pending[same_part] = change
        self._has_news.set()

    def hear_that_some_were_missed(self) -> None:
        for mailbox in self.mailboxes:
            mailbox.replay()

    async def _begin(self) -> None:
        self.logged_until = await self._threads.run(_last_number, self.subscription.tenant_id)
        if self.mailboxes:
            self._task = asyncio.create_task(self._render_changes())

    async def _render_changes(self) -> None:
        while await self._has_news.wait():
            self._has_news.clear()
            changes, self._pending = list(self._pending.values()), {}
            try:
                messages = await self._threads.run(_render, self.subscription, changes, self.logged_until)
            except Exception:
                logger.exception("A live page could not be rendered; its streams replay.")
                await asyncio.sleep(AGAIN_SECONDS)
                self.hear_that_some_were_missed()
                continue
            self._spread(messages)
            await asyncio.sleep(GATHER_SECONDS)

    def _spread(self, messages: list[Message]) -> None:
        if not messages:
            return
        self.logged_until = max(self.logged_until, *(message.id or 0 for message in messages))
        batch = _encode(messages)
        for mailbox in self.mailboxes:
            mailbox.put(batch)


def _encode(messages: Iterable[Message]) -> Batch:
    return [(message.id, message.encode()) for message in messages]


def _replay(subscription: Subscription, after: int | None) -> Batch:
    rows = [] if after is None else subscription.log_after(after)
    return _encode([*subscription.snapshot(), *rows])


def _last_number(tenant_id: UUID) -> int:
    return Event.objects.filter(tenant_id=tenant_id).last_number()


def _render(subscription: Subscription, changes: Iterable[Change], logged_until: int) -> list[Message]:
    """Patches of all changes, each once, then the log rows that are new."""
    patches: dict[str, Message] = {}
    has_events = False
    for change in changes:
        has_events = has_events or change.event_number is not None
        for message in subscription.changed(change):
            if message.id is None:
                patches.pop(message.html, None)
                patches[message.html] = message
    rows = subscription.log_after(logged_until) if has_events else []
    return [*patches.values(), *rows]
