"""Runs database work of the streams in a few threads, however many streams are open."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper

THREADS = 4
Result = TypeVar("Result")


class DatabaseThreads:
    def __init__(self) -> None:
        self._connections: list[BaseDatabaseWrapper] = []
        self._pool = ThreadPoolExecutor(
            THREADS, thread_name_prefix="stream", initializer=self._remember_connection
        )

    async def run(self, function: Callable[..., Result], *arguments: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._pool, _fresh, function, *arguments)

    def close(self) -> None:
        """Let the threads end, then close their connections, which otherwise last as long as the process."""
        self._pool.shutdown(cancel_futures=True)
        for connection in self._connections:
            connection.inc_thread_sharing()
            connection.close()

    def _remember_connection(self) -> None:
        self._connections.append(connections["default"])


def _fresh(function: Callable[..., Result], *arguments: object) -> Result:
    close_old_connections()
    return function(*arguments)
