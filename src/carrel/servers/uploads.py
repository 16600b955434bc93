"""Bodies that do not arrive: requests whose body takes too long are cancelled.

One sweep a second looks at all bodies under way. A timer for each request would cost two
microseconds of every POST; being a second late with a timeout of thirty costs nobody anything.
"""

from __future__ import annotations

import asyncio
from time import monotonic

from carrel.errors import BodyTooLarge

SWEEP_S = 1.0


def refuse_long_body(content_length: str | None, max_body_bytes: int) -> None:
    """Refuse a body by its announced length, before any of it is read.

    Raises:
        BodyTooLarge: It is over the limit.
    """
    # By its digits first: a number of a million digits would take a while to read.
    if content_length is not None and (
        len(content_length) > len(str(max_body_bytes)) or int(content_length) > max_body_bytes
    ):
        raise too_long(max_body_bytes)


def too_long(max_body_bytes: int) -> BodyTooLarge:
    """Make the error for a body over the limit."""
    return BodyTooLarge(f"The body is longer than {max_body_bytes} bytes.")


class Uploads:
    """The tasks that wait for a body.

    Args:
        timeout_s: How long a body may take, in seconds.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._since_s: dict[asyncio.Task[object], float] = {}
        self._overdue: set[asyncio.Task[object]] = set()
        self._sweeping: asyncio.TimerHandle | None = None

    def begin(self, now_s: float) -> asyncio.Task[object]:
        """Note that the running task waits for a body.

        Args:
            now_s: What `monotonic` says; the caller looks at the clock anyway.

        Returns:
            What to pass to `end`.
        """
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None
        self._since_s[task] = now_s
        if self._sweeping is None:
            self._sweeping = loop.call_later(SWEEP_S, self._sweep)
        return task

    def end(self, task: asyncio.Task[object]) -> None:
        """Note that the body is there, or given up."""
        self._since_s.pop(task, None)

    def was_overdue(self, task: asyncio.Task[object]) -> bool:
        """Tell whether the task's cancellation was a timeout, and forget it."""
        if task not in self._overdue:
            return False
        self._overdue.discard(task)
        task.uncancel()
        return True

    def _sweep(self) -> None:
        self._sweeping = None
        limit_s = monotonic() - self._timeout_s
        for task, since_s in list(self._since_s.items()):
            if since_s < limit_s:
                del self._since_s[task]
                self._overdue.add(task)
                task.cancel()
        if self._since_s:
            self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
