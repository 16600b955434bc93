"""A deadline that does not count a stall of this process against the other side."""

from __future__ import annotations

import asyncio
from types import TracebackType

STALL_S = 0.005
"""Delay of a timer that means that the process was stalled, in seconds: the reply may be in the socket,
unread."""


class Deadline:
    """Context that raises `TimeoutError` after a time in which the event loop was running.

    `asyncio.timeout` cancels a call whose reply came in time but was not read in time, because the loop or
    the process was stalled. If its timer fires late, this one waits for as long again as it was late.

    Args:
        for_s: Duration in seconds. It is extended at most once by the same time.
    """

    def __init__(self, for_s: float) -> None:
        self._for_s = for_s
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()
        self._loop = asyncio.get_running_loop()
        self._due_s = self._loop.time() + self._for_s
        self._timer = self._loop.call_at(self._due_s, self._due)

    def _due(self) -> None:
        now_s = self._loop.time()
        late_s = now_s - self._due_s
        if late_s <= STALL_S:
            self._timeout.reschedule(now_s)
        else:
            self._timeout.reschedule(now_s + min(late_s, self._for_s))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        await self._timeout.__aexit__(kind, error, trace)
