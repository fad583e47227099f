"""The browser waits for what vCenter answers, and so does one of the few threads that serve all pages.

Not for ever, and never all of the threads: a vCenter that hangs leaves the other pages alone.
"""

import threading
from collections.abc import Callable
from queue import Empty, Queue
from typing import TypeVar

from palette_portal.http import Conflict

# Of the eight threads of palette_portal.asgi.
AT_ONCE = 4

Result = TypeVar("Result")
_places = threading.BoundedSemaphore(AT_ONCE)


class TooManyAtOnce(Conflict):
    """All places are taken; said at once instead of waiting for one."""

    def __init__(self) -> None:
        super().__init__("The portal is busy asking vCenter for others. Try again in a few seconds.")


def within(seconds: float, ask: Callable[[], Result]) -> Result | None:
    """The answer, or None when it takes longer: name resolution, for one, knows no timeout."""
    if not _places.acquire(blocking=False):
        raise TooManyAtOnce
    try:
        return within_alone(seconds, ask)
    finally:
        _places.release()


def within_alone(seconds: float, ask: Callable[[], Result]) -> Result | None:
    """The same without a place: for a worker, or for whoever holds one already."""
    answers: Queue[tuple[Result | None, Exception | None]] = Queue()

    def run() -> None:
        try:
            answers.put((ask(), None))
        except Exception as error:
            answers.put((None, error))

    threading.Thread(target=run, name="ask-vcenter", daemon=True).start()
    try:
        result, error = answers.get(timeout=seconds)
    except Empty:
        return None
    if error is not None:
        raise error
    return result
