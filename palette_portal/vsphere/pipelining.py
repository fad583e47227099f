"""Several questions over one connection in one go, answered in order: HTTP/1.1 pipelining.

vCenter's tags have to be read one by one; this way it costs one round trip instead of one per tag.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, cast


@dataclass(frozen=True)
class Question:
    method: str
    path: str
    body: str = ""


Answer = tuple[int, bytes]


def ask_in_one_go(
    connection: HTTPSConnection, questions: Sequence[Question], headers: Mapping[str, str]
) -> list[Answer]:
    """Status and content of each answer; fewer when the server closed the connection before the last one."""
    if connection.sock is None:
        connection.connect()
    connection.sock.sendall(b"".join(_written(connection, question, headers) for question in questions))
    stream = _Stream(connection.sock.makefile("rb"))
    answers: list[Answer] = []
    try:
        for question in questions:
            answer = HTTPResponse(cast(Any, stream), method=question.method)
            answer.begin()
            answers.append((answer.status, answer.read()))
            if answer.will_close:
                connection.close()
                break
    except (ConnectionError, HTTPException):  # what is missing is asked for again, one by one
        connection.close()
    finally:
        stream.end()
    return answers


def _written(connection: HTTPSConnection, question: Question, headers: Mapping[str, str]) -> bytes:
    host = f"[{connection.host}]" if ":" in connection.host else connection.host
    lines = [
        f"{question.method} {question.path} HTTP/1.1",
        f"Host: {host}" if connection.port == 443 else f"Host: {host}:{connection.port}",
        "Accept-Encoding: identity",
        *(f"{name}: {value}" for name, value in headers.items()),
        *([f"Content-Length: {len(question.body.encode())}"] if question.method == "POST" else []),
    ]
    return "\r\n".join([*lines, "", question.body]).encode()


class _Stream:
    """The one reader of the socket; an answer that was read does not close it: the next is in its buffer."""

    def __init__(self, reader: Any) -> None:
        self.reader = reader

    def makefile(self, _mode: str) -> "_Stream":
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.reader, name)

    def close(self) -> None:
        return

    def end(self) -> None:
        self.reader.close()
