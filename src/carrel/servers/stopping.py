"""Hear that the process is to leave or to stop, before the server under Carrel waits for its connections.

A server that stops gracefully waits for the responses under way, and brings the app down after that. A stream
is under way until somebody ends it, so it has to be ended first.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

LEAVE = signal.SIGURG
"""Tells a worker that it will be told to stop in a moment. By default the system ignores it."""


class StopWatch:
    """Calls functions when the process is told something, and leaves the rest to whoever heeds the signal.

    Args:
        leaving: Called on the event loop when no new connections come any more, where somebody tells of that.
        stopping: Called there when the process is to stop.
    """

    def __init__(self, leaving: Callable[[], None], stopping: Callable[[], None]) -> None:
        self._calls = {LEAVE: leaving, signal.SIGINT: stopping, signal.SIGTERM: stopping}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._before: dict[int, Any] = {}

    def start(self) -> None:
        """Begin to listen, on the running event loop; only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._loop = asyncio.get_running_loop()
        for number in self._calls:
            handler = signal.getsignal(number)
            # Where nobody handles it, it ends the process, and is to go on doing so.
            if callable(handler):
                self._before[number] = handler
                signal.signal(number, self._hear)

    def stop(self) -> None:
        """Put things back, but for handlers that others have set since."""
        for number, handler in self._before.items():
            if signal.getsignal(number) == self._hear:
                signal.signal(number, handler)
        self._loop = None

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._calls[signal.Signals(number)])
        self._before[number](number, frame)
