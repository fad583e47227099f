"""The browser waits for what vCenter answers, and so does one of the few threads that serve all pages."""

import threading
from collections.abc import Callable
from queue import Empty, Queue
from typing import TypeVar

Result = TypeVar("Result")


def within(seconds: float, ask: Callable[[], Result]) -> Result | None:
    """The answer, or None when it takes longer: name resolution, for one, knows no timeout."""
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
