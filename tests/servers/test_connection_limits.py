"""Connections over their peer's share, with real sockets from several addresses of this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from choirbook.runtime.quotas import QuotaKind, Quotas, peer_key
from choirbook.servers.connection_limits import ConnectionCounts, ConnectionLimits, connections, silence_ms
from tests.support.servers import wait_for

GREEDY, OTHER, LOCAL = "127.0.0.2", "127.0.0.3", "127.0.0.1"
MUCH = b"x" * 65536


class Pairs:
    """A listening socket and connections to it; both ends are in this process."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.port: int = self._listener.getsockname()[1]

    def connect(self, source: str) -> tuple[socket.socket, socket.socket]:
        """Return a connection's two ends, the client's first."""
        client = self._stack.enter_context(socket.socket())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.bind((source, 0))
        client.connect(("127.0.0.1", self.port))
        served = self._stack.enter_context(self._listener.accept()[0])
        client.settimeout(5)
        served.setblocking(False)  # noqa: FBT003 - its only argument
        return client, served


@pytest.fixture
def pairs() -> Iterator[Pairs]:
    with ExitStack() as stack:
        yield Pairs(stack)


def limits(pairs: Pairs, total: int, unread: int = 100) -> ConnectionLimits:
    totals = {QuotaKind.CONNECTIONS: total, QuotaKind.UNREAD: unread}
    return ConnectionLimits(pairs.port, total, Quotas(0.25, totals), peer_key)


def is_open(client: socket.socket) -> bool:
    client.setblocking(False)  # noqa: FBT003 - its only argument
    try:
        return client.recv(1) != b""
    except BlockingIOError:
        return True


def fill(served: socket.socket) -> None:
    """Write until nothing more can be written."""

    def is_full() -> bool:
        try:
            served.send(MUCH)
        except BlockingIOError:
            return True
        return False

    wait_for(is_full, "nothing more can be written")


def test_those_that_were_silent_longest_are_closed_for_those_over_the_share(pairs: Pairs) -> None:
    silent = [pairs.connect(GREEDY)[0] for _ in range(3)]
    others = [pairs.connect(address)[0] for address in (OTHER, LOCAL, LOCAL, LOCAL)]
    busy, _ = pairs.connect(GREEDY)
    own = busy.getsockname()

    def was_heard_last() -> bool:
        busy.sendall(b"x")
        silence = {link.remote: silence_ms(link) for link in connections(pairs.port)}
        return silence.pop(own) < min(silence.values())

    wait_for(was_heard_last, "it spoke later than the others")
    assert limits(pairs, 16).look() == ConnectionCounts(0, 1, 0, 0)
    assert limits(pairs, 12).look() == ConnectionCounts(1, 1, 0, 0)
    assert is_open(busy)
    assert sum(map(is_open, silent)) == 2
    assert all(map(is_open, others))


def test_connections_whose_client_reads_nothing_are_bounded_by_themselves(pairs: Pairs) -> None:
    ends = [pairs.connect(GREEDY) for _ in range(4)]
    local = pairs.connect(LOCAL)
    for _, served in [*ends, local]:
        fill(served)
    found = limits(pairs, 1000, unread=8).look()
    assert found == ConnectionCounts(0, 0, 2, 1)
    assert len(connections(pairs.port)) == 5
    assert limits(pairs, 1000, unread=400).look() == ConnectionCounts(0, 0, 0, 0)


def test_the_last_places_are_kept_free_whoever_holds_the_others(pairs: Pairs) -> None:
    clients = [pairs.connect(LOCAL)[0] for _ in range(16)]
    assert limits(pairs, 16).look() == ConnectionCounts(1, 0, 0, 0)
    assert sum(map(is_open, clients)) == 15


def test_other_descriptors_of_the_process_are_left_alone(pairs: Pairs) -> None:
    with ExitStack() as stack:
        other = Pairs(stack)
        foreign = [other.connect(GREEDY)[0] for _ in range(8)]
        left, right = socket.socketpair()
        stack.callback(left.close)
        stack.callback(right.close)
        pairs.connect(GREEDY)
        assert len(connections(pairs.port)) == 1
        assert limits(pairs, 4).look() == ConnectionCounts(0, 1, 0, 0)
        assert all(map(is_open, foreign))
