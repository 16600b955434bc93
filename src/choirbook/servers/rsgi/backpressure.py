"""How much of a stream a client has not taken, where the server under Choirbook does not say.

Granian queues whatever a stream is given, without bound and without a word. But the system knows what a
client's machine has acknowledged (`TCP_INFO`, tcp(7)). So after every `QUANTUM_BYTES` a stream waits until
the acknowledged bytes have come close to those sent. A client that takes nothing for a while is cut off.
`connections` finds out what was acknowledged (docs/adr/0016).
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from time import monotonic

from choirbook.servers import descriptors
from choirbook.servers.connections import Connections, Ends, TcpConnection
from choirbook.servers.descriptors import Address

QUANTUM_BYTES = 64 * 1024
"""Sent before a look; a look costs some ten microseconds."""

BLIND_BYTES = 4 * 1024 * 1024
"""Sent over a stream while nothing can be seen of it; then it is ended, and a reader opens another."""

LOOK_S = 0.02

SEARCH_S = 0.25
"""Between searches for connections that are not found at once: one search serves all that wait for it."""


def address_of(text: str) -> Address:
    """Take an address apart, such as `127.0.0.1:50000`."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port) if port.isdigit() else 0


class Gauge(ABC):
    """What one client was sent, and how much of it its machine has acknowledged.

    Args:
        ends: The addresses of its connection.
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
        "unseen",
        "waiting_s",
        "was_sought",
    )

    def __init__(self, ends: Ends) -> None:
        self.ends = ends
        self.connection: TcpConnection | None = None
        """Its connection, once it is found."""
        self.was_sought = False
        """Whether its connection was found, or not found by a search for it."""
        self.sent = 0
        """Bytes, since the stream began."""
        self.unseen = 0
        """Bytes sent since the last look."""
        self.is_over = False
        self._acked = self._acked_then = 0
        self._sent_then = self._seen_at = 0
        self._was_seen = False
        self.waiting_s = 0.0
        """Since when nothing was taken, though there was something to take."""

    @abstractmethod
    def resume(self) -> None:
        """Go on: the client has taken what it was sent."""

    @abstractmethod
    def give_up(self) -> None:
        """Stop: the client does not take it, and its connection is shut down."""

    def has_taken(self, now_s: float, stall_s: float) -> bool | None:
        """Tell whether the client has taken enough to be sent more; None when it is given up."""
        acked = None if self.connection is None else self.connection.read_acked()
        if acked is None:
            return True if self.sent - self._seen_at < BLIND_BYTES else None
        self._seen_at = self.sent
        if not self._was_seen:
            # What was acknowledged before the stream began is not known: one quantum may be counted twice.
            self._sent_then, self._acked_then, self._was_seen = self.sent, acked, True
        if acked > self._acked:
            self.waiting_s = now_s
        self._acked = acked
        if self.sent - self._sent_then - (acked - self._acked_then) < QUANTUM_BYTES:
            return True
        return None if now_s - self.waiting_s > stall_s else False


class Pressure:
    """Looks at those clients that were sent much.

    Args:
        stall_s: A client that takes nothing for so long is given up.
        connections: Finds their connections.
    """

    def __init__(self, stall_s: float, connections: Connections | None = None) -> None:
        self._stall_s = stall_s
        self._connections = connections or Connections()
        self._waiting: dict[Gauge, None] = {}
        self._looking: asyncio.Task[None] | None = None
        self._next_search_s = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether there is nobody to look at."""
        return not self._waiting

    def watch(self, gauge: Gauge) -> None:
        """Look at a client until it can be sent more, or is given up."""
        gauge.waiting_s = monotonic()
        # Without a port, as over a Unix socket, there is nothing to look for.
        gauge.was_sought = gauge.connection is not None or not gauge.ends.peer[1]
        self._waiting[gauge] = None
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(), name="choirbook-backpressure")

    async def _look(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(LOOK_S)
                await self._find()
                await self._judge(list(self._waiting))
        finally:
            self._looking = None
            self._connections.close()

    async def _find(self) -> None:
        """Find the connections that are not known yet, by a search only where that takes one."""
        missing = [gauge for gauge in self._waiting if not self._is_known(gauge)]
        if missing and monotonic() >= self._next_search_s:
            found = await asyncio.to_thread(self._connections.search, {gauge.ends for gauge in missing})
            self._next_search_s = monotonic() + SEARCH_S
            for gauge in missing:
                gauge.connection = found.get(gauge.ends)
                gauge.was_sought = True

    def _is_known(self, gauge: Gauge) -> bool:
        if not gauge.was_sought:
            gauge.connection = self._connections.recognize(gauge.ends)
            gauge.was_sought = gauge.connection is not None
        return gauge.was_sought or gauge.is_over

    async def _judge(self, gauges: list[Gauge]) -> None:
        stalled: set[int] = set()
        for gauge in gauges:
            verdict = None if gauge.is_over else self._has_taken(gauge)
            if verdict is False:
                continue
            del self._waiting[gauge]
            if gauge.is_over:
                continue
            if verdict is None:
                if gauge.connection is not None:
                    stalled.add(gauge.connection.inode)
                gauge.give_up()
            else:
                gauge.unseen = 0
                gauge.resume()
            # Resuming sends: others get their turn in between.
            await asyncio.sleep(0)
        if stalled:
            # All at once, as every descriptor is looked at. A socket that was closed meanwhile is not found.
            await asyncio.to_thread(descriptors.shut_down, stalled)

    def _has_taken(self, gauge: Gauge) -> bool | None:
        # Sent to before its turn in a search, a client could be sent a lot unseen.
        return gauge.has_taken(monotonic(), self._stall_s) if gauge.was_sought else False
