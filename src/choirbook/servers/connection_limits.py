"""Limit on the connections of each peer: surplus ones are closed, so that others find room.

A server accepts connections up to a limit, and one peer could hold all of them: idle, with headers that do
not end, or without reading the answers. Granian does not report who its connections belong to, but the
system does. So now and then, if there are many, a thread examines this process's sockets. Of a peer with too
many, it shuts down those that were silent longest. It does not see requests; streams send keep-alives, so
they are not silent for long.

Connections are found by their local port: those of a process that listens on the server's port.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import struct
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep, thread_time
from typing import NamedTuple

from choirbook.runtime.quotas import EVERYONE, QuotaKind, Quotas
from choirbook.runtime.threads import Threads
from choirbook.servers import descriptors
from choirbook.servers.descriptors import Address, Descriptor

log = logging.getLogger("choirbook.servers")

BESIDE_STREAMS = 2048
"""Number of connections that a worker accepts beside those of its streams."""

IN_FLIGHT_BYTES = 1024 * 1024 * 1024
"""Maximum size of unread answers of all peers, in bytes. A connection holds at most one, so one document."""

LOOK_S = 0.2
_PART_OF_TIME = 0.02
"""Maximum share of one core spent on looking; with many connections it looks less often."""

_RESERVED = 16
"""Fraction of places, as a divisor, kept free for peers that have none yet, such as health checks."""

_SLICE = 32
_PAUSE_S = 0.0005
"""Pause for the event loop between slices, in seconds."""

_DESCRIPTORS = Path("/proc/self/fd")
_SILENCE = struct.Struct("=44xI4xI")
"""`tcpi_last_data_sent` and `tcpi_last_data_recv` in `struct tcp_info` of linux/tcp.h, in milliseconds."""


class OpenConnection(NamedTuple):
    """One connection, as the system reports it."""

    descriptor: Descriptor
    remote: Address


class ConnectionCounts(NamedTuple):
    """Result of a look."""

    closed: int
    """Number of closed connections over their peer's share."""
    full: int
    """Number of peers that have reached their limit."""
    closed_unread: int
    full_unread: int


class ConnectionLimits:
    """Limits the connections of this process.

    Args:
        port: Port of the server.
        total: Maximum number of connections that it accepts.
        quotas: Limits per peer; closed connections are counted there.
        peer_of: Returns the peer of an address.
    """

    def __init__(self, port: int, total: int, quotas: Quotas, peer_of: Callable[[str], str]) -> None:
        self._port = port
        self._total = total
        self._connections, self._unread = quotas[QuotaKind.CONNECTIONS], quotas[QuotaKind.UNREAD]
        self._is_limited = quotas.fraction < 1
        self._peer_of = peer_of
        self._threads = Threads(1)
        self._looking: asyncio.Task[None] | None = None
        self._cost_s = 0.0
        """CPU time of the last look, in seconds."""

    def start(self) -> None:
        """Start to look, on the running event loop, if the system reports connections."""
        if self._is_limited and _DESCRIPTORS.is_dir():
            self._looking = asyncio.get_running_loop().create_task(
                self._look_on(), name="choirbook-connection-limits"
            )

    def stop(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        self._threads.close()

    async def _look_on(self) -> None:
        due_s, seen = 0.0, 0
        while True:
            await asyncio.sleep(LOOK_S)
            count = descriptors_open()
            if count <= min(self._connections.most, self._unread.most):
                self._note(ConnectionCounts(0, 0, 0, 0), 0.0)
            elif monotonic() >= due_s or self._is_urgent(count, seen):
                seen = count
                try:
                    self._note(*await self._threads.run(self._timed_look))
                except OSError as error:
                    # Descriptors are exhausted; the next look may get one.
                    log.warning("cannot inspect connections: %s", error)
                due_s = monotonic() + self._cost_s / _PART_OF_TIME

    def _is_urgent(self, count: int, seen: int) -> bool:
        part = self._total // _RESERVED
        return count > self._total - part or count > seen + part

    def _timed_look(self) -> tuple[ConnectionCounts, float]:
        began_s = thread_time()
        found = self.look()
        return found, thread_time() - began_s

    def _note(self, found: ConnectionCounts, cost_s: float) -> None:
        self._cost_s = cost_s
        self._connections.refused += found.closed
        self._connections.full = found.full
        self._unread.refused += found.closed_unread
        self._unread.full = found.full_unread

    def look(self) -> ConnectionCounts:
        """Close surplus connections; blocking."""
        by_peer: defaultdict[str, list[OpenConnection]] = defaultdict(list)
        for link in connections(self._port):
            by_peer[self._peer_of(link.remote[0])].append(link)
        closed = full = closed_unread = full_unread = 0
        for peer, links in by_peer.items():
            if peer == EVERYONE:
                continue
            over = len(links) - self._connections.most
            full += over >= 0
            closed += close_silent(links, over)
            if len(links) >= self._unread.most:
                unread = [link for link in links if has_unread(link)]
                full_unread += len(unread) >= self._unread.most
                closed_unread += close_silent(unread, len(unread) - self._unread.most)
        closed += self._make_room(by_peer, closed + closed_unread)
        return ConnectionCounts(closed, full, closed_unread, full_unread)

    def _make_room(self, by_peer: dict[str, list[OpenConnection]], closed: int) -> int:
        """Close connections of the peer that has most if nearly all places are taken."""
        over = sum(map(len, by_peer.values())) - closed - (self._total - self._total // _RESERVED)
        if over <= 0:
            return 0
        return close_silent(max(by_peer.values(), key=len), over)


def descriptors_open() -> int:
    """Return the number of open descriptors of this process; cheap from Linux 6.2 on."""
    return _DESCRIPTORS.stat().st_size or len(os.listdir(_DESCRIPTORS))  # noqa: PTH208 - names are enough


def connections(port: int) -> list[OpenConnection]:
    """Return this process's connections to a port of its own; pauses for the event loop."""
    found = []
    for count, (descriptor, local, remote) in enumerate(descriptors.connections(), start=1):
        if local[1] == port:
            found.append(OpenConnection(descriptor, remote))
        if count % _SLICE == 0:
            sleep(_PAUSE_S)
    return found


def has_unread(link: OpenConnection) -> bool:
    """Return whether a client has left so much unread that nothing more can be written."""
    poll = select.poll()
    poll.register(link.descriptor.number, select.POLLOUT)
    return not poll.poll(0)


def close_silent(links: list[OpenConnection], count: int) -> int:
    """Shut down the connections that were silent longest, and return how many were shut down."""
    if count <= 0:
        return 0
    by_silence = sorted(links, key=silence_ms, reverse=True)
    return sum(descriptors.cut(link.descriptor) for link in by_silence[:count])


def silence_ms(link: OpenConnection) -> int:
    """Return how long nothing was sent or received over a connection, in milliseconds."""
    times = descriptors.read_tcp_info(link.descriptor, _SILENCE)
    return 0 if times is None else min(times)
