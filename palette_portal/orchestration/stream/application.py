"""The ASGI application in front of Django's: /streams/..., plain server-sent events."""

import asyncio
import logging
import signal
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from django.db import DatabaseError, InterfaceError
from django.urls.resolvers import RoutePattern

from palette_portal.orchestration.stream.hub import Hub
from palette_portal.orchestration.stream.messages import Channel, Subscription
from palette_portal.orchestration.stream.stream import Stream
from palette_portal.orchestration.stream.visitors import Visitor, visitor_of

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LISTENING_SECONDS = 5.0
# More than anybody looks at: a hidden tab has none.
STREAMS_PER_SESSION = 20
RETRY_AFTER_SECONDS = 30
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]


class Refused(Exception):
    """The stream does not begin; the HTTP status says why."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True)
class Opening:
    """What a request asks for. `open` is called again for every re-check."""

    visitor: Visitor
    channel: Channel
    path_arguments: Mapping[str, str]
    query: Mapping[str, str]
    after: int | None

    def open(self) -> Subscription | None:
        user = self.visitor.user()
        return None if user is None else self.channel.open(user, self.path_arguments, self.query)


class LiveStreams:
    """`LiveStreams([("streams/clusters/<uuid:cluster_id>/", ClusterChannel())])`, for paths it `handles`."""

    def __init__(
        self, routes: Sequence[tuple[str, Channel]], *, per_session: int = STREAMS_PER_SESSION
    ) -> None:
        self._routes = [(RoutePattern(route, is_endpoint=True), channel) for route, channel in routes]
        self._hubs: dict[asyncio.AbstractEventLoop, Hub] = {}
        self._per_session = per_session
        self._open: Counter[str] = Counter()

    def handles(self, scope: Scope) -> bool:
        return scope["type"] == "http" and self._match(scope["path"]) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            opening = self._opening(scope)
            with self._place(opening.visitor):
                await self._serve(opening, receive, send)
        except Refused as refused:
            await _refuse(send, refused.status)

    def end_all(self) -> None:
        """End every open stream of this process; safe from any thread and from a signal handler."""
        for loop, hub in list(self._hubs.items()):
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(hub.end_all)

    async def close(self) -> None:
        """For the end of the ASGI lifespan: no connection and no thread is left behind."""
        if hub := self._hubs.pop(asyncio.get_running_loop(), None):
            await hub.close()

    async def _serve(self, opening: Opening, receive: Receive, send: Send) -> None:
        hub = self._hub()
        if not await hub.ensure_listening(seconds=LISTENING_SECONDS):
            raise Refused(503)
        subscription = await _open(hub, opening)
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        stream = Stream(hub, opening, subscription, send)
        await _until_disconnected(stream, receive)

    @contextmanager
    def _place(self, visitor: Visitor) -> Iterator[None]:
        """One of the few streams that a session may have open in this process."""
        session = visitor.fingerprint
        if self._open[session] >= self._per_session:
            raise Refused(429)
        self._open[session] += 1
        try:
            yield
        finally:
            self._open[session] -= 1
            if not self._open[session]:
                del self._open[session]

    def _hub(self) -> Hub:
        """One per event loop, which is one per web process."""
        loop = asyncio.get_running_loop()
        if loop not in self._hubs:
            self._hubs[loop] = Hub()
            self._end_streams_on_sigterm()
        return self._hubs[loop]

    def _end_streams_on_sigterm(self) -> None:
        """A web server waits for open requests before it ends; streams must not keep it waiting."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            before = signal.getsignal(number)
            if callable(before):
                signal.signal(number, self._ending_first(before))

    def _ending_first(self, before: Callable[[int, Any], Any]) -> Callable[[int, Any], Any]:
        def handle(number: int, frame: Any) -> Any:
            self.end_all()
            return before(number, frame)

        return handle

    def _match(self, path: str) -> tuple[Channel, dict[str, str]] | None:
        for pattern, channel in self._routes:
            if match := pattern.match(path.removeprefix("/")):
                return channel, {name: str(value) for name, value in match[2].items()}
        return None

    def _opening(self, scope: Scope) -> Opening:
        found = self._match(scope["path"])
        if found is None:
            raise Refused(404)
        if scope["method"] != "GET":
            raise Refused(405)
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        visitor = visitor_of(headers.get(b"cookie", ""))
        if visitor is None:
            raise Refused(401)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        after = _number(headers.get(b"last-event-id", "")) or _number(query.pop("after", ""))
        return Opening(visitor, *found, query, after)


async def _open(hub: Hub, opening: Opening) -> Subscription:
    try:
        subscription = await hub.threads.run(opening.open)
    except (DatabaseError, InterfaceError) as error:
        raise Refused(503) from error
    if subscription is None:
        raise Refused(404)
    return subscription


async def _until_disconnected(stream: Stream, receive: Receive) -> None:
    """The stream ends when it has to, or when the browser went away."""
    writing = asyncio.create_task(stream.run())
    waiting = asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait({writing, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (writing, waiting):
            task.cancel()
        for outcome in await asyncio.gather(writing, waiting, return_exceptions=True):
            if isinstance(outcome, Exception):
                logger.info("A stream ended: %r", outcome)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(send: Send, status: int) -> None:
    headers = [(b"content-type", b"text/plain"), (b"cache-control", b"no-store")]
    if status == 429:
        headers.append((b"retry-after", str(RETRY_AFTER_SECONDS).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
