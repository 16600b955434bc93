"""Threads for blocking calls, so that the event loop never waits for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Threads:
    """A few threads, started with the first call, and again after a `close`.

    Args:
        count: Maximum number of threads.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._executor: ThreadPoolExecutor | None = None

    async def run(
        self, call: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """Run a call on a thread and wait for it.

        Raises:
            Exception: The exception of the call.
        """
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._count, thread_name_prefix="choirbook-io")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: call(*args, **kwargs))

    def close(self) -> None:
        """Let the threads end after their present calls; does not wait."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None
