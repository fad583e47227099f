"""The little REST that tags need, in vCenter's newer (/api) and older (/rest) dialect."""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from palette_portal.vsphere.errors import (
    LoginRefused,
    NoPermission,
    NotFound,
    NotVCenter,
    SessionExpired,
    Unreachable,
    VSphereError,
)
from palette_portal.vsphere.faults import CONNECTION_ERRORS, translate
from palette_portal.vsphere.pipelining import Question, ask_in_one_go
from palette_portal.vsphere.session import Credentials
from palette_portal.vsphere.trust import Timeouts, VerifiedConnection

SESSION_HEADER = "vmware-api-session-id"


@dataclass(frozen=True)
class Dialect:
    session: str
    tagging: str
    identity: str
    action: str

    def item(self, kind: str, identity: str) -> str:
        return f"{self.tagging}/{kind}/{self.identity}{quote(identity, safe='')}"


NEWER = Dialect("/api/session", "/api/cis/tagging", "", "action")
OLDER = Dialect("/rest/com/vmware/cis/session", "/rest/com/vmware/cis/tagging", "id:", "~action")


class NotSpoken(NotFound):
    """The server does not know the path: another dialect may work."""


def nobody_counts() -> None:
    return


class RestSession:
    """`count` is called for each time that an answer is waited for."""

    def __init__(
        self,
        credentials: Credentials,
        dialect: Dialect,
        timeouts: Timeouts,
        count: Callable[[], None] = nobody_counts,
    ) -> None:
        self.credentials = credentials
        self.dialect = dialect
        self.count = count
        self.server = str(credentials.endpoint)
        self.connection = VerifiedConnection(credentials.endpoint, credentials.trust, timeouts)
        self.token = ""

    def log_in(self) -> None:
        login = f"{self.credentials.username}:{self.credentials.password}".encode()
        authorization = f"Basic {base64.b64encode(login).decode()}"
        self.token = str(self._send("POST", self.dialect.session, {"Authorization": authorization}))

    def log_out(self) -> None:
        """A server that is gone has no session either."""
        try:
            if self.token:
                self._send("DELETE", self.dialect.session, {SESSION_HEADER: self.token})
        except VSphereError:
            pass
        finally:
            self.connection.close()

    def get(self, path: str) -> Any:
        return self._send("GET", path, {SESSION_HEADER: self.token})

    def post(self, path: str, action: str, body: object) -> Any:
        question = self.posting(path, action, body)
        return self._send("POST", question.path, {SESSION_HEADER: self.token}, question.body)

    def create(self, path: str, spec: object) -> str:
        """The id of what was made."""
        body = {"create_spec": spec} if self.dialect is OLDER else spec
        return str(self._send("POST", path, {SESSION_HEADER: self.token}, json.dumps(body)))

    def delete(self, path: str) -> None:
        self._send("DELETE", path, {SESSION_HEADER: self.token})

    def posting(self, path: str, action: str, body: object) -> Question:
        return Question("POST", f"{path}?{self.dialect.action}={action}", json.dumps(body))

    def ask_all(self, questions: Sequence[Question]) -> list[Any]:
        """Answers in order; all are asked at once. Only for questions: one may be asked again."""
        if not questions:
            return []
        self.count()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        try:
            told = ask_in_one_go(self.connection, questions, {**headers, SESSION_HEADER: self.token})
        except CONNECTION_ERRORS as problem:
            raise translate(problem, server=self.server) from problem
        answers = []
        for question, (status, content) in zip(questions, told, strict=False):
            self._check(status, question.path)
            answers.append(self._decode(content))
        return answers + [self._ask_alone(question) for question in questions[len(answers) :]]

    def _ask_alone(self, question: Question) -> Any:
        return self._send(question.method, question.path, {SESSION_HEADER: self.token}, question.body or None)

    def _send(self, method: str, path: str, headers: dict[str, str], body: str | None = None) -> Any:
        headers = {"Content-Type": "application/json", "Accept": "application/json", **headers}
        self.count()
        try:
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
            content = response.read()
        except CONNECTION_ERRORS as problem:
            raise translate(problem, server=self.server) from problem
        self._check(response.status, path)
        return self._decode(content)

    def _check(self, status: int, path: str) -> None:
        if status < 300:
            return
        if status == 404:
            raise NotSpoken(f"{self.server} does not know {path}.")
        if status == 401:
            raise self._refusal()
        if status == 403:
            raise NoPermission(
                "The account may not read tags.", "Give the account's role read access in vCenter."
            )
        raise Unreachable(f"{self.server} could not answer a question about tags (HTTP {status}).")

    def _refusal(self) -> VSphereError:
        if self.token:
            return SessionExpired(f"The session with {self.server} has ended.")
        return LoginRefused(f"{self.server} refused the user name or password.")

    def _decode(self, content: bytes) -> Any:
        if not content.strip():
            return None
        try:
            decoded = json.loads(content)
        except ValueError as problem:
            raise NotVCenter(f"{self.server} does not answer as a vCenter does.") from problem
        return decoded["value"] if isinstance(decoded, dict) and set(decoded) == {"value"} else decoded


@contextmanager
def rest_session(
    credentials: Credentials,
    dialect: Dialect,
    timeouts: Timeouts,
    count: Callable[[], None] = nobody_counts,
) -> Iterator[RestSession]:
    session = RestSession(credentials, dialect, timeouts, count)
    try:
        session.log_in()
        yield session
    finally:
        session.log_out()
