"""The real ASGI application in a thread, the system's Chromium, and pages that must stay quiet."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from django.core.signals import request_finished, request_started
from django.db import connection
from playwright.sync_api import ConsoleMessage, Page
from pytest_django import DjangoDbBlocker

# Playwright's synchronous API keeps an event loop in this thread: Django would take us for an async caller.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Debian's Chromium or the one that CHROMIUM names; without either, Playwright's own."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    chosen = {"executable_path": program} if program else {}
    return {**browser_type_launch_args, **chosen, "args": ["--no-sandbox", "--force-color-profile=srgb"]}


class Server(uvicorn.Server):
    @property
    def url(self) -> str:
        port = self.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def _server(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Server]:
    from palette_portal.asgi import application

    config = uvicorn.Config(
        application, port=0, lifespan="off", log_level="warning", timeout_graceful_shutdown=1
    )
    server = Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the web server did not start"
        time.sleep(0.02)
    yield server
    server.should_exit = True
    thread.join(5)
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


class Requests:
    """How many requests Django is answering at the moment."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0

    def started(self, **_signal: object) -> None:
        with self.lock:
            self.count += 1

    def finished(self, **_signal: object) -> None:
        with self.lock:
            self.count -= 1

    def wait_until_done(self, seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while self.count > 0 and time.monotonic() < deadline:
            time.sleep(0.02)


@pytest.fixture
def _requests() -> Iterator[Requests]:
    requests = Requests()
    request_started.connect(requests.started)
    request_finished.connect(requests.finished)
    yield requests
    request_started.disconnect(requests.started)
    request_finished.disconnect(requests.finished)


@pytest.fixture
def portal(
    _server: Server, transactional_db: None, _requests: Requests, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The address of the running portal; it sees what the test writes to the database.

    What a page still asks for when the test ends is answered before the database is emptied.
    """
    yield _server.url
    page = request.node.funcargs.get("page")
    if page is not None and not page.is_closed():
        page.goto("about:blank")
    _requests.wait_until_done()


@pytest.fixture(autouse=True)
def quiet(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Fails a test on any script error or report of the Content-Security-Policy.

    A test that provokes an error answer removes its line from the list.
    """
    complaints: list[str] = []
    if "page" in request.fixturenames:
        page: Page = request.getfixturevalue("page")
        page.on("console", lambda message: _note(complaints, message))
        page.on("pageerror", lambda error: complaints.append(str(error)))
    yield complaints
    assert complaints == []


# The hash of nothing, as the policy's reports name an empty inline style.
EMPTY_STYLE = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


def _note(complaints: list[str], message: ConsoleMessage) -> None:
    """Taking a picture leaves an empty style on the focused element, which htmx copies to its successor."""
    is_of_a_picture = bool(os.environ.get("SCREENSHOTS")) and EMPTY_STYLE in message.text
    if message.type in ("error", "warning") and not is_of_a_picture:
        complaints.append(message.text)


@pytest.fixture
def worker() -> Iterator[Callable[[], Future[None]]]:
    """Does what is due, in a thread of its own as a worker does."""

    from palette_portal.vsphere.session import sessions
    from tests.engine import run_due_steps

    def work() -> None:
        try:
            run_due_steps()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        yield lambda: pool.submit(work)
    sessions.close_all()


@pytest.fixture
def check_accessible() -> Callable[[Page], None]:
    """No violation of level serious or critical on the page as it is now."""

    def check(page: Page) -> None:
        violations = Axe().run(page).response["violations"]
        grave = [found for found in violations if found["impact"] in ("serious", "critical")]
        told = [(found["id"], [node["html"] for node in found["nodes"]]) for found in grave]
        assert told == []

    return check
