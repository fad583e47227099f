"""Several database sessions at once in one test."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connection, connections

Result = TypeVar("Result")


def at_once(*functions: Callable[[], Result]) -> list[Result]:
    """Call all of them at the same moment, each in a session of its own."""
    barrier = Barrier(len(functions), timeout=10)

    def call(function: Callable[[], Result]) -> Result:
        try:
            connection.ensure_connection()
            barrier.wait()
            return function()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(call, functions))


def in_other_session(function: Callable[[], Result]) -> Result:
    return at_once(function)[0]
