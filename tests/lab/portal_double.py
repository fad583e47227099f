"""Takes what guests and installers post, in place of the portal."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Posted:
    path: str
    authorization: str
    body: dict[str, Any]


class PortalDouble:
    def __init__(self) -> None:
        self.posted: list[Posted] = []
        self.answers: list[int] = []  # statuses of the next answers; then 204
        self.wants_load = False
        self.loads: list[str] = []
        self.instructions: list[str] = []  # given one after the other
        self.done: list[dict[str, str]] = []  # the answers to them
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def phases(self) -> list[str]:
        return [posted.body["phase"] for posted in self.posted]

    def wait_for(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, timeout=seconds), self.posted

    def take(self, posted: Posted) -> int:
        with self._changed:
            status = self.answers.pop(0) if self.answers else 204
            if status < 300:
                self.posted.append(posted)
            self._changed.notify_all()
        return status

    def give(self) -> str:
        with self._changed:
            return self.instructions[0] if self.instructions else ""

    def take_answer(self, form: dict[str, str]) -> None:
        with self._changed:
            self.instructions.pop(0)
            self.done.append(form)
            self._changed.notify_all()

    def take_load(self, text: str) -> None:
        with self._changed:
            self.loads.append(text)
            self._changed.notify_all()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        double = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.endswith("/load"):
                    self.send_response(200 if double.wants_load else 204)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                payload = double.give().encode()
                self.send_response(200 if payload else 204)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["Content-Length"]))
                if "/instructions/" in self.path:
                    double.take_answer(dict(parse_qsl(sent.decode(), keep_blank_values=True)))
                    self.send_response(204)
                    self.end_headers()
                    return
                if self.path.endswith("/load"):
                    double.take_load(sent.decode())
                    self.send_response(204)
                    self.end_headers()
                    return
                body = json.loads(sent)
                is_registration = self.path.endswith("/register")
                status = double.take(Posted(self.path, self.headers.get("Authorization", ""), body))
                self.send_response(201 if is_registration and status == 204 else status)
                answer = (
                    {"gateway_uid": "g-1", "token": "t", "heartbeat_seconds": 60} if is_registration else {}
                )
                payload = json.dumps(answer).encode() if is_registration else b""
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_arguments: object) -> None:
                return

        return Handler
