"""Several questions in one go, against a server that answers them, or only some of them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import cast

import pytest

from palette_portal.vsphere.pipelining import Answer, HTTPSConnection, Question, ask_in_one_go

QUESTIONS = [Question("GET", "/a"), Question("POST", "/b", '{"of": "ü"}'), Question("GET", "/c")]


def answer(body: str, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body.encode())}", *headers, "", body]
    return "\r\n".join(lines).encode()


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n"


@contextmanager
def server(answers: list[bytes]) -> Iterator[tuple[int, list[str]]]:
    """Reads all questions before it says anything."""
    asked: list[str] = []

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            for _ in QUESTIONS:
                asked.append(self.rfile.readline().decode().strip())
                length = 0
                while (line := self.rfile.readline()) != b"\r\n":
                    name, _, value = line.decode().partition(":")
                    length = int(value) if name == "Content-Length" else length
                self.rfile.read(length)
            self.wfile.write(b"".join(answers))

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as tcp:
        thread = threading.Thread(target=tcp.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield tcp.server_address[1], asked
        tcp.shutdown()
        thread.join()


def ask(port: int) -> list[Answer]:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        return ask_in_one_go(cast(HTTPSConnection, connection), QUESTIONS, {"Accept": "application/json"})
    finally:
        connection.close()


def test_answers_come_in_order_whatever_their_form() -> None:
    with server([CHUNKED, answer("two", status="404 Not Found"), answer("")]) as (port, asked):
        assert ask(port) == [(200, b"one"), (404, b"two"), (200, b"")]

    assert asked == ["GET /a HTTP/1.1", "POST /b HTTP/1.1", "GET /c HTTP/1.1"]


@pytest.mark.parametrize(
    "answers",
    [
        [answer("one"), answer("two", "Connection: close")],
        [answer("one"), answer("two")],
        [answer("one"), answer("two"), b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nthr"],
    ],
    ids=["says that it closes", "closes", "closes in the middle"],
)
def test_server_that_closes_leaves_the_rest_unanswered(answers: list[bytes]) -> None:
    with server(answers) as (port, _asked):
        assert ask(port) == [(200, b"one"), (200, b"two")]
