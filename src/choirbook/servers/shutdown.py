"""Signals that announce a shutdown, before the server under Choirbook waits for its connections.

A server that stops gracefully waits for the responses under way, and stops the app after that. A stream is
under way until somebody ends it, so it must be ended first.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

LEAVE = signal.SIGURG
"""Signal to a worker that will be stopped in a moment. By default the system ignores it."""

END: int = getattr(signal, "SIGRTMIN", signal.SIGUSR2)
"""Signal by which a server stops its worker. By default it ends a process at once."""


class ShutdownSignals:
    """Calls functions when the process gets a signal, and passes the signal on to its other handlers.

    Args:
        leaving: Called on the event loop when no new connections come any more, if that is announced.
        stopping: Called there when the process must stop.
    """

    def __init__(self, leaving: Callable[[], None], stopping: Callable[[], None]) -> None:
        self._leaving = leaving
        self._stopping = stopping
        self._calls: dict[int, Callable[[], None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._before: dict[int, Any] = {}

    def start(self) -> None:
        """Begin to listen, on the running event loop; only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._loop = asyncio.get_running_loop()
        # If the end is ordered, other signals are for the process that orders it.
        is_ordered = callable(signal.getsignal(END))
        ends: tuple[int, ...] = (END,) if is_ordered else (signal.SIGINT, signal.SIGTERM)
        self._calls = {LEAVE: self._leaving, **dict.fromkeys(ends, self._stopping)}
        for number in self._calls:
            handler = signal.getsignal(number)
            # Without a handler, the signal ends the process, and must continue to do so.
            if callable(handler):
                self._before[number] = handler
                signal.signal(number, self._handle)

    def stop(self) -> None:
        """Restore the previous handlers, unless others have been set since."""
        for number, handler in self._before.items():
            if signal.getsignal(number) == self._handle:
                signal.signal(number, handler)
        self._loop = None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._calls[number])
        self._before[number](number, frame)
