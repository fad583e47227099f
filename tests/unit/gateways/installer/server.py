"""The other side of the installer's calls: a portal, a proxy or something else, on loopback."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, status: int, document: dict[str, Any], **headers: str) -> "Reply":
        return cls(status, json.dumps(document), {"Content-Type": "application/json", **headers})


REGISTERED = Reply.of(201, {"gateway_uid": "g-1", "token": "issued-token", "heartbeat_seconds": 7})
ALIVE = Reply.of(200, {"state": "Pending", "heartbeat_seconds": 9})


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    document: dict[str, Any]


@dataclass
class Server:
    """Gives the prepared replies in turn and then the last one for ever; keeps what it was asked."""

    address: str = ""
    replies: list[Reply] = field(default_factory=lambda: [REGISTERED, ALIVE])
    requests: list[Request] = field(default_factory=list)
    asked: threading.Condition = field(default_factory=threading.Condition)

    def answer(self, request: Request) -> Reply:
        with self.asked:
            self.requests.append(request)
            self.asked.notify_all()
            return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def wait_for_requests(self, count: int) -> None:
        with self.asked:
            assert self.asked.wait_for(lambda: len(self.requests) >= count, timeout=20)


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            document = json.loads(body) if body else {}
            reply = server.answer(Request(self.command, self.path, dict(self.headers), document))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body.encode())

        do_CONNECT = do_POST

        def log_message(self, *_arguments: Any) -> None:
            pass

    return Handler


@contextmanager
def serve(context: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server()
    listener = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    listener.handle_error = lambda *_: None  # type: ignore[method-assign]  # a refused handshake is expected
    if context:
        listener.socket = context.wrap_socket(listener.socket, server_side=True)
    server.address = f"127.0.0.1:{listener.server_address[1]}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()
