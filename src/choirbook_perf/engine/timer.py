"""Callbacks at given times, to some ten microseconds.

Event loops wait in whole milliseconds, which would be a part of every latency that is measured from the time
at which a request is due. On Linux a timerfd wakes the loop (timerfd_create(2)), elsewhere its own timer.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from heapq import heappop, heappush
from itertools import count

_CLOCK_MONOTONIC = 1
_NONBLOCKING = os.O_NONBLOCK | os.O_CLOEXEC
_ABSOLUTE = 1
_COUNTER_BYTES = 8
_MAX_AT_ONCE = 64
"""Callbacks before sockets have their turn: a generator that is behind would otherwise read no answers."""

_NOT_NOW = -1.0

Callback = Callable[[float, float], None]
"""Takes the time at which it was due, and the time now."""


class _Time(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("interval", _Time), ("value", _Time))


class Timer:
    """All callbacks of a loop that are due later. Times are of `time.monotonic`.

    Args:
        loop: Running loop.
        lead_s: How long before a callback is due the loop stops sleeping: a core that sleeps takes some ten
            microseconds to wake up. Meanwhile the loop goes on to serve its sockets.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, lead_s: float = 0.0) -> None:
        self._loop = loop
        self._lead_s = lead_s
        self._due: list[tuple[float, int, Callback]] = []
        self._numbers = count()
        self._armed_s = 0.0
        self._handle: asyncio.TimerHandle | None = None
        self._descriptor = -1
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._descriptor = self._libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCKING)
        if self._descriptor >= 0:
            self._setting = _Setting()
            self._pointer = ctypes.byref(self._setting)
            loop.add_reader(self._descriptor, self._ring)

    def at(self, due_s: float, callback: Callback) -> None:
        """Call back at a time, or as soon as possible after it."""
        heappush(self._due, (due_s, next(self._numbers), callback))
        if not self._armed_s or due_s < self._armed_s:
            self._arm()

    def close(self) -> None:
        """Forget all callbacks."""
        self._due.clear()
        if self._handle is not None:
            self._handle.cancel()
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _ring(self) -> None:
        if self._descriptor >= 0:
            with suppress(BlockingIOError):  # it was set anew after it had rung
                os.read(self._descriptor, _COUNTER_BYTES)
        self._run()

    def _run(self) -> None:
        # Nothing is set while callbacks run: each would set it for what it adds.
        self._armed_s = _NOT_NOW
        try:
            now_s = self._call_due()
        except BaseException:
            # The loop reports it; the others are called all the same.
            self._loop.call_soon(self._run)
            raise
        due = self._due
        if due and due[0][0] - now_s <= self._lead_s:
            self._loop.call_soon(self._run)
        else:
            self._armed_s = 0.0
            self._arm()

    def _call_due(self) -> float:
        due, now_s = self._due, time.monotonic()
        for _ in range(_MAX_AT_ONCE):
            if not due or due[0][0] > now_s:
                break
            due_s, _, callback = heappop(due)
            callback(due_s, now_s)
            now_s = time.monotonic()
        return now_s

    def _arm(self) -> None:
        if not self._due or self._armed_s == _NOT_NOW:
            return
        self._armed_s = self._due[0][0]
        due_s = self._armed_s - self._lead_s
        if self._descriptor < 0:
            if self._handle is not None:
                self._handle.cancel()
            delay_s = max(0.0, due_s - time.monotonic())
            self._handle = self._loop.call_later(delay_s, self._ring)
            return
        value = self._setting.value
        # A time of zero would switch it off.
        value.seconds, value.nanoseconds = divmod(max(1, int(due_s * 1e9)), 1_000_000_000)
        self._libc.timerfd_settime(self._descriptor, _ABSOLUTE, self._pointer, None)
