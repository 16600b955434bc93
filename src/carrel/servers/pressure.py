"""How much of a stream a client has not taken, where the server under Carrel does not say.

Granian queues whatever a stream is given, without bound and without a word. But the system knows what a
client's machine has acknowledged (`TCP_INFO`, tcp(7)). So after every `QUANTUM_BYTES` a stream waits until
the acknowledged bytes have come close to those sent. A client that takes nothing for a while is cut off.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from time import monotonic

QUANTUM_BYTES = 64 * 1024
"""Sent before a look; a look costs some ten microseconds."""

BLIND_BYTES = 4 * 1024 * 1024
"""Sent over a stream of which nothing can be seen; then it is ended, and a reader opens another."""

LOOK_S = 0.02

_DESCRIPTORS = Path("/proc/self/fd")
_ACKED = struct.Struct("=120xQ")
"""`tcpi_bytes_acked` in `struct tcp_info` of linux/tcp.h."""

Peer = tuple[str, int]


def peer_of(client: str) -> Peer:
    """Take an address apart, such as `127.0.0.1:50000`."""
    host, _, port = client.rpartition(":")
    return host.strip("[]"), int(port) if port.isdigit() else 0


class Gauge(ABC):
    """What one client was sent, and how much of it its machine has acknowledged.

    Args:
        peer: Its address.
    """

    __slots__ = (
        "_acked",
        "_acked_then",
        "_descriptor",
        "_sent_then",
        "_was_seen",
        "is_over",
        "peer",
        "sent",
        "unseen",
        "waiting_s",
    )

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.sent = 0
        """Bytes, since the stream began."""
        self.unseen = 0
        """Bytes sent since the last look."""
        self.is_over = False
        self._descriptor: int | None = None
        self._acked = self._acked_then = 0
        self._sent_then = 0
        self._was_seen = False
        self.waiting_s = 0.0
        """Since when nothing was taken, though there was something to take."""

    @abstractmethod
    def resume(self) -> None:
        """Go on: the client has taken what it was sent."""

    @abstractmethod
    def give_up(self) -> None:
        """Stop: the client does not take it, and its connection is shut down."""

    def find(self, descriptors: dict[Peer, int]) -> None:
        """Take note of the connection's descriptor."""
        self._descriptor = descriptors.get(self.peer)

    @property
    def is_found(self) -> bool:
        """Whether the connection's descriptor is known."""
        return self._descriptor is not None

    def has_taken(self, now_s: float, stall_s: float) -> bool | None:
        """Tell whether the client has taken enough to be sent more; None when it is given up."""
        acked = self._read_acked()
        if acked is None:
            return True if self.sent < BLIND_BYTES else None
        if not self._was_seen:
            # What was acknowledged before the stream began is not known: one quantum may be counted twice.
            self._sent_then, self._acked_then, self._was_seen = self.sent, acked, True
        if acked > self._acked:
            self.waiting_s = now_s
        self._acked = acked
        if self.sent - self._sent_then - (acked - self._acked_then) < QUANTUM_BYTES:
            return True
        return None if now_s - self.waiting_s > stall_s else False

    def cut(self) -> None:
        """Shut the connection down."""
        connection = self._borrow()
        if connection is not None:
            with connection, suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _read_acked(self) -> int | None:
        connection = self._borrow()
        if connection is None:
            return None
        with connection:
            try:
                info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKED.size)
                return int(_ACKED.unpack(info)[0])
            except (OSError, struct.error):
                return None

    def _borrow(self) -> socket.socket | None:
        """Return the connection under a new descriptor, or None when the old one is another's by now."""
        if self._descriptor is None:
            return None
        try:
            connection = socket.socket(fileno=os.dup(self._descriptor))
        except OSError:
            return None
        if _peer(connection) == self.peer:
            return connection
        connection.close()
        return None


class Pressure:
    """Looks at those clients that were sent much.

    Args:
        stall_s: A client that takes nothing for so long is given up.
    """

    def __init__(self, stall_s: float) -> None:
        self._stall_s = stall_s
        self._waiting: dict[Gauge, None] = {}
        self._looking: asyncio.Task[None] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether there is nobody to look at."""
        return not self._waiting

    def watch(self, gauge: Gauge) -> None:
        """Look at a client until it can be sent more, or is given up."""
        gauge.waiting_s = monotonic()
        self._waiting[gauge] = None
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(), name="carrel-pressure")

    async def _look(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(LOOK_S)
                if not all(gauge.is_found for gauge in self._waiting):
                    descriptors = await asyncio.to_thread(_descriptors)
                    for gauge in self._waiting:
                        gauge.find(descriptors)
                await self._judge(list(self._waiting))
        finally:
            self._looking = None

    async def _judge(self, gauges: list[Gauge]) -> None:
        for gauge in gauges:
            verdict = None if gauge.is_over else gauge.has_taken(monotonic(), self._stall_s)
            if verdict is False:
                continue
            del self._waiting[gauge]
            if gauge.is_over:
                continue
            if verdict is None:
                gauge.cut()
                gauge.give_up()
            else:
                gauge.unseen = 0
                gauge.resume()
            # Resuming sends: others get their turn in between.
            await asyncio.sleep(0)


def _descriptors() -> dict[Peer, int]:
    """Return this process's TCP connections by the address of their other end."""
    found: dict[Peer, int] = {}
    try:
        names = [path.name for path in _DESCRIPTORS.iterdir()]
    except OSError:
        return found
    for name in names:
        try:
            connection = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        with connection:
            if (peer := _peer(connection)) is not None:
                found[peer] = int(name)
    return found


def _peer(connection: socket.socket) -> Peer | None:
    if connection.family not in {socket.AF_INET, socket.AF_INET6}:
        return None
    try:
        host, port = connection.getpeername()[:2]
    except OSError:
        return None
    return host, port
