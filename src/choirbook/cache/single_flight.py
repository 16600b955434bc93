"""Single flight: at most one load per key, shared by all waiters.

Idea: Brad Fitzpatrick's groupcache. A load runs in a task of its own, so cancelling a waiter (its client hung
up) cancels neither the load nor the other waiters.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from choirbook.runtime.tasks import end_tasks

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class SingleFlight(Generic[Key, Value]):
    """Loads in progress, by key."""

    def __init__(self) -> None:
        self._tasks: dict[Key, asyncio.Task[Value]] = {}
        self.joined = 0
        """Number of waiters that joined a load under way, since the start."""

    def __len__(self) -> int:
        """Return the number of loads in progress."""
        return len(self._tasks)

    async def join(self, key: Key, load: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        """Wait for the load of a key, starting it if none is under way.

        Args:
            key: Key to load.
            load: Called by the first waiter only.

        Raises:
            Exception: The exception of the load, for every waiter.
        """
        task = self._tasks.get(key)
        if task is None:
            task = self._start(key, load)
        else:
            self.joined += 1
        try:
            # Without the shield, cancelling one waiter would cancel the task under all the others.
            return await asyncio.shield(task)
        finally:
            # An error references this frame, and the task the error: all of it would stay until the garbage
            # collector runs, which is rare in a server that creates little other garbage.
            del task

    def begin(self, key: Key, load: Callable[[], Coroutine[Any, Any, Value]]) -> None:
        """Start the load of a key without waiting for it, unless one is under way."""
        if key not in self._tasks:
            self._start(key, load)

    def _start(self, key: Key, load: Callable[[], Coroutine[Any, Any, Value]]) -> asyncio.Task[Value]:
        task = self._tasks[key] = asyncio.create_task(load())
        task.add_done_callback(lambda done: self._land(key, done))
        return task

    async def close(self) -> None:
        """Cancel all loads and wait until they have ended."""
        await end_tasks(*self._tasks.values())

    def _land(self, key: Key, task: asyncio.Task[Value]) -> None:
        del self._tasks[key]
        if not task.cancelled():
            # Every waiter may have been cancelled; this marks the error as retrieved.
            task.exception()
