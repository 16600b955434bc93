"""Bodies that do not arrive: waiting for one that takes too long is cancelled.

One sweep a second looks at all bodies under way. A timer for each request would make every POST
dearer; being a second late with a timeout of thirty costs nobody anything.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Protocol

from carrel.errors import BodyTooLarge

SWEEP_S = 1.0


def refuse_long_body(content_length: str, max_body_bytes: int) -> None:
    """Refuse a body by its announced length, before any of it is read.

    Raises:
        BodyTooLarge: It is over the limit.
    """
    # By its digits first: a number of a million digits would take a while to read.
    if len(content_length) > len(str(max_body_bytes)) or int(content_length) > max_body_bytes:
        raise too_long(max_body_bytes)


def too_long(max_body_bytes: int) -> BodyTooLarge:
    """Make the error for a body over the limit."""
    return BodyTooLarge(f"The body is longer than {max_body_bytes} bytes.")


class Waiter(Protocol):
    """What a request waits for its body on: a future, a task, or Granian's own awaitable."""

    def cancel(self) -> bool:
        """Have whoever awaits it raise CancelledError."""


class Uploads:
    """The bodies under way.

    Args:
        timeout_s: How long a body may take, in seconds.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._since_s: dict[Waiter, float] = {}
        self._overdue: set[Waiter] = set()
        self._sweeping: asyncio.TimerHandle | None = None

    def begin(self, waiter: Waiter, now_s: float) -> None:
        """Note that a body is waited for.

        Args:
            waiter: Cancelled when it takes too long.
            now_s: What `monotonic` says; the caller looks at the clock anyway.
        """
        self._since_s[waiter] = now_s
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def end(self, waiter: Waiter) -> None:
        """Note that the body is there, or given up."""
        self._since_s.pop(waiter, None)

    def was_overdue(self, waiter: Waiter) -> bool:
        """Tell whether the waiter's cancellation was a timeout, and forget it."""
        if waiter not in self._overdue:
            return False
        self._overdue.discard(waiter)
        return True

    def _sweep(self) -> None:
        self._sweeping = None
        limit_s = monotonic() - self._timeout_s
        for waiter, since_s in list(self._since_s.items()):
            if since_s < limit_s:
                del self._since_s[waiter]
                self._overdue.add(waiter)
                waiter.cancel()
        if self._since_s:
            self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
