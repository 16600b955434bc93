"""Backpressure of streams under Granian, which does not report slow clients.

Granian queues everything that a stream sends, without limit and without notice. But the system knows which
bytes a client's machine has acknowledged (`TCP_INFO`, tcp(7)). So after every `QUANTUM_BYTES` a stream waits
until the acknowledged bytes have come close to those sent. A client that reads nothing for a while is
disconnected.
`connections` provides the acknowledged bytes (docs/adr/0016).
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from time import monotonic

from choirbook.servers import descriptors
from choirbook.servers.connections import ConnectionEnds, Connections, TcpConnection
from choirbook.servers.descriptors import Address

QUANTUM_BYTES = 64 * 1024
"""Bytes sent between two checks; a check costs some ten microseconds."""

BLIND_BYTES = 4 * 1024 * 1024
"""Maximum bytes sent over a stream that cannot be checked; then it is ended, and a client that reads opens
another."""

LOOK_S = 0.02

SEARCH_S = 0.25
"""Interval between searches for connections that are not found at once, in seconds: one search serves all
that wait for it."""


def address_of(text: str) -> Address:
    """Parse an address, such as `127.0.0.1:50000`."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port) if port.isdigit() else 0


class SendWindow(ABC):
    """Bytes sent to one client, and how many of them its machine has acknowledged.

    Args:
        ends: Addresses of its connection.
    """

    __slots__ = (
        "_acked",
        "_acked_then",
        "_seen_at",
        "_sent_then",
        "_was_seen",
        "connection",
        "ends",
        "is_over",
        "sent",
        "stalled_since_s",
        "unchecked",
        "was_searched",
    )

    def __init__(self, ends: ConnectionEnds) -> None:
        self.ends = ends
        self.connection: TcpConnection | None = None
        """Connection of the client, once it is found."""
        self.was_searched = False
        """Whether its connection was found, or a search did not find it."""
        self.sent = 0
        """Bytes sent since the stream began."""
        self.unchecked = 0
        """Bytes sent since the last check."""
        self.is_over = False
        self._acked = self._acked_then = 0
        self._sent_then = self._seen_at = 0
        self._was_seen = False
        self.stalled_since_s = 0.0
        """Monotonic time since when nothing was acknowledged, although there was something to read."""

    @abstractmethod
    def resume(self) -> None:
        """Continue: the client has read what it was sent."""

    @abstractmethod
    def disconnect(self) -> None:
        """Stop: the client does not read, and its connection is shut down."""

    def has_acknowledged(self, now_s: float, stall_s: float) -> bool | None:
        """Return whether the client has read enough to be sent more; None if it is disconnected."""
        acked = None if self.connection is None else self.connection.read_acked()
        if acked is None:
            return True if self.sent - self._seen_at < BLIND_BYTES else None
        self._seen_at = self.sent
        if not self._was_seen:
            # The bytes acknowledged before the stream began are unknown: one quantum may be counted twice.
            self._sent_then, self._acked_then, self._was_seen = self.sent, acked, True
        if acked > self._acked:
            self.stalled_since_s = now_s
        self._acked = acked
        if self.sent - self._sent_then - (acked - self._acked_then) < QUANTUM_BYTES:
            return True
        return None if now_s - self.stalled_since_s > stall_s else False


class Backpressure:
    """Holds back streams to clients that do not keep up, and disconnects those that read nothing.

    Args:
        stall_s: Time after which a client that reads nothing is disconnected, in seconds.
        connections: Finds their connections.
    """

    def __init__(self, stall_s: float, connections: Connections | None = None) -> None:
        self._stall_s = stall_s
        self._connections = connections or Connections()
        self._waiting: dict[SendWindow, None] = {}
        self._looking: asyncio.Task[None] | None = None
        self._next_search_s = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether there is no client to check."""
        return not self._waiting

    def watch(self, window: SendWindow) -> None:
        """Check a client until it can be sent more, or is disconnected."""
        window.stalled_since_s = monotonic()
        # Without a port, as over a Unix socket, there is nothing to search for.
        window.was_searched = window.connection is not None or not window.ends.peer[1]
        self._waiting[window] = None
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(), name="choirbook-backpressure")

    async def _look(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(LOOK_S)
                await self._find()
                await self._check(list(self._waiting))
        finally:
            self._looking = None
            self._connections.close()

    async def _find(self) -> None:
        """Find the connections that are not known yet, by a search only if needed."""
        missing = [window for window in self._waiting if not self._is_known(window)]
        if missing and monotonic() >= self._next_search_s:
            found = await asyncio.to_thread(self._connections.search, {window.ends for window in missing})
            self._next_search_s = monotonic() + SEARCH_S
            for window in missing:
                window.connection = found.get(window.ends)
                window.was_searched = True

    def _is_known(self, window: SendWindow) -> bool:
        if not window.was_searched:
            window.connection = self._connections.recognize(window.ends)
            window.was_searched = window.connection is not None
        return window.was_searched or window.is_over

    async def _check(self, windows: list[SendWindow]) -> None:
        stalled: set[int] = set()
        for window in windows:
            verdict = None if window.is_over else self._has_acknowledged(window)
            if verdict is False:
                continue
            del self._waiting[window]
            if window.is_over:
                continue
            if verdict is None:
                if window.connection is not None:
                    stalled.add(window.connection.inode)
                window.disconnect()
            else:
                window.unchecked = 0
                window.resume()
            # Resuming sends: other tasks get their turn in between.
            await asyncio.sleep(0)
        if stalled:
            # All at once, as every descriptor is examined. A socket that was closed meanwhile is not found.
            await asyncio.to_thread(descriptors.shut_down, stalled)

    def _has_acknowledged(self, window: SendWindow) -> bool | None:
        # Before its turn in a search, a client could be sent a lot without a check.
        return window.has_acknowledged(monotonic(), self._stall_s) if window.was_searched else False
