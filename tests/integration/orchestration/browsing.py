"""A browser's side of a stream, without a socket: calls the ASGI application and reads what it sends."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import connections

from palette_portal.orchestration.stream import LiveStreams

SECONDS = 10.0


@dataclass
class Received:
    event: str
    data: str
    id: int | None


@dataclass
class Browser:
    """`async with Browser(streams, path, cookie=...) as browser: await browser.until(...)`"""

    streams: LiveStreams
    path: str
    cookie: str = ""
    last_event_id: str = ""
    query: str = ""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    raw: bytes = b""
    has_ended: bool = False
    heartbeats: int = 0

    async def __aenter__(self) -> "Browser":
        self._news = asyncio.Condition()
        self._gone = asyncio.Event()
        self._reads = asyncio.Event()
        self._reads.set()
        self._task = asyncio.create_task(self._call())
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._gone.set()
        self._reads.set()
        await asyncio.wait_for(self._task, SECONDS)

    async def until(self, condition: Callable[["Browser"], bool]) -> None:
        async with self._news:
            await asyncio.wait_for(self._news.wait_for(lambda: condition(self)), SECONDS)

    def stop_reading(self) -> None:
        self._reads.clear()

    def go_on_reading(self) -> None:
        self._reads.set()

    def rows(self) -> list[int]:
        return [message.id for message in self.received if message.id is not None]

    def last_patch(self) -> str:
        return next((m.data for m in reversed(self.received) if m.event == "patch"), "")

    async def _call(self) -> None:
        headers = [(b"cookie", self.cookie.encode()), (b"last-event-id", self.last_event_id.encode())]
        scope = {
            "type": "http",
            "method": "GET",
            "path": self.path,
            "query_string": self.query.encode(),
            "headers": [(name, value) for name, value in headers if value],
        }
        assert self.streams.handles(scope)
        await self.streams(scope, self._receive, self._send)
        await self._tell(ended=True)

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        await self._reads.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.raw += message["body"]
        await self._tell()

    async def _tell(self, *, ended: bool = False) -> None:
        async with self._news:
            self.has_ended = ended
            *whole, self.raw = self.raw.split(b"\n\n")
            self.heartbeats += sum(block.startswith(b": ") for block in whole)
            self.received += [_parse(block.decode()) for block in whole if b"event: " in block]
            self._news.notify_all()


def _parse(block: str) -> Received:
    fields = [line.partition(": ") for line in block.split("\n")]
    data = "\n".join(value for name, _, value in fields if name == "data")
    values = {name: value for name, _, value in fields}
    return Received(values["event"], data, int(values["id"]) if "id" in values else None)


async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Database work of the test beside the streams' event loop."""

    def work() -> Any:
        try:
            return function(*arguments)
        finally:
            connections.close_all()

    return await asyncio.to_thread(work)


def browse(streams: LiveStreams, scenario: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        try:
            await scenario()
        finally:
            await streams.close()

    asyncio.run(whole())
