"""Backpressure over real connections, and the descriptors used for it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from choirbook.servers.connections import ConnectionEnds, Connections
from choirbook.servers.rsgi.backpressure import (
    BLIND_BYTES,
    QUANTUM_BYTES,
    Backpressure,
    SendWindow,
    address_of,
)
from tests.support.descriptors import open_descriptors
from tests.support.waiting import eventually

STALL_S = 0.2
WAYS = {"by the kernel": True, "by descriptors": False}


class Counted(SendWindow):
    """Counts what it is told."""

    def __init__(self, ends: ConnectionEnds) -> None:
        super().__init__(ends)
        self.resumed = self.given_up = 0

    def resume(self) -> None:
        self.resumed += 1

    def disconnect(self) -> None:
        self.given_up += 1

    def note(self, count: int) -> None:
        self.sent += count
        self.unchecked += count


class Watched(Counted):
    """One end of a connection to a client that reads when it is told to."""

    def __init__(self, server_side: socket.socket, listens_on: str = "127.0.0.1") -> None:
        super().__init__(
            ConnectionEnds(server_side.getpeername()[:2], (listens_on, server_side.getsockname()[1]))
        )
        self._socket = server_side

    def fill(self) -> None:
        """Send until the system takes no more, and count what an unbounded queue would hold besides."""
        self._socket.settimeout(0)
        try:
            while True:
                self.note(self._socket.send(b"x" * 65536))
        except BlockingIOError:
            self.note(2 * QUANTUM_BYTES)


class Pair:
    """A connection of a server in this process, and its client."""

    def __init__(self, stack: ExitStack, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = stack.enter_context(
            socket.create_server((host, 0), family=family, dualstack_ipv6=host == "::")
        )
        self.client = stack.enter_context(socket.socket(family if host == "::1" else socket.AF_INET))
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.client.connect(("::1" if host == "::1" else "127.0.0.1", listener.getsockname()[1]))
        self.accepted = stack.enter_context(listener.accept()[0])
        self.accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.watched = Watched(self.accepted, host)


@pytest.fixture
def pair() -> Iterator[Pair]:
    with ExitStack() as stack:
        yield Pair(stack)


@pytest.fixture(params=WAYS)
def backpressure(request: pytest.FixtureRequest) -> Backpressure:
    return Backpressure(STALL_S, Connections(ask_kernel=WAYS[request.param]))


async def stalled(backpressure: Backpressure, pair: Pair) -> None:
    """Send more than a client takes, once its connection is known."""
    backpressure.watch(pair.watched)
    await eventually(lambda: pair.watched.resumed)
    pair.watched.fill()
    backpressure.watch(pair.watched)


def read_to_the_end(client: socket.socket) -> int:
    client.settimeout(10)
    count = 0
    while data := client.recv(65536):
        count += len(data)
    return count


async def test_a_client_that_takes_what_it_is_sent_goes_on(backpressure: Backpressure, pair: Pair) -> None:
    watched = pair.watched
    watched.note(QUANTUM_BYTES)
    backpressure.watch(watched)
    await eventually(lambda: watched.resumed)
    assert (watched.resumed, watched.given_up, watched.unchecked) == (1, 0, 0)


async def test_a_client_that_takes_nothing_is_cut_off(backpressure: Backpressure, pair: Pair) -> None:
    watched = pair.watched
    backpressure.watch(watched)
    await eventually(lambda: watched.resumed)
    # For how long there was nothing to take does not count.
    quiet_s = time.monotonic() + STALL_S
    await eventually(lambda: time.monotonic() > quiet_s)
    watched.fill()
    started_s = time.monotonic()
    backpressure.watch(watched)
    await eventually(lambda: watched.given_up)
    assert (watched.resumed, watched.given_up) == (1, 1)
    assert time.monotonic() - started_s >= STALL_S
    await eventually(lambda: is_shut_down(pair.accepted))
    # What was sent before the cut is still read; then there is no more.
    assert read_to_the_end(pair.client) > 0


def is_shut_down(server_side: socket.socket) -> bool:
    try:
        server_side.send(b"x")
    except BlockingIOError:
        return False
    except OSError:
        return True
    return False


async def test_a_slow_but_steady_reader_is_not_cut_off(backpressure: Backpressure, pair: Pair) -> None:
    watched, client = pair.watched, pair.client
    pair.accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1024 * 1024)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    await stalled(backpressure, pair)
    client.settimeout(0)
    ends_s = time.monotonic() + 5 * STALL_S
    next_s = 0.0

    def takes_a_little() -> bool:
        nonlocal next_s
        if (now_s := time.monotonic()) >= next_s:
            client.recv(32 * 1024)
            next_s = now_s + STALL_S / 4
        return now_s > ends_s

    await eventually(takes_a_little)
    # It has not caught up, so it was looked at all the while.
    assert not backpressure.is_idle
    assert watched.given_up == 0
    # And once it stops, it is.
    await eventually(lambda: watched.given_up)


async def test_nobody_is_called_about_a_stream_that_is_over(backpressure: Backpressure, pair: Pair) -> None:
    pair.watched.is_over = True
    backpressure.watch(pair.watched)
    await eventually(lambda: backpressure.is_idle)
    assert (pair.watched.resumed, pair.watched.given_up) == (0, 0)


@pytest.mark.parametrize("peer", [("192.0.2.1", 1), ("unix", 0), ("no address", 1)])
async def test_a_client_that_cannot_be_seen_is_given_up_after_a_while(
    backpressure: Backpressure, peer: tuple[str, int]
) -> None:
    watched = Counted(ConnectionEnds(peer, ("127.0.0.1", 1)))
    watched.note(QUANTUM_BYTES)
    backpressure.watch(watched)
    await eventually(lambda: watched.resumed)
    watched.note(BLIND_BYTES)
    backpressure.watch(watched)
    await eventually(lambda: watched.given_up)


async def test_what_was_sent_before_it_was_seen_last_does_not_count_as_unseen(
    backpressure: Backpressure, pair: Pair
) -> None:
    watched, client = pair.watched, pair.client
    watched.sent = 2 * BLIND_BYTES
    backpressure.watch(watched)
    await eventually(lambda: watched.resumed)
    pair.accepted.close()
    client.close()
    watched.note(QUANTUM_BYTES)
    backpressure.watch(watched)
    await eventually(lambda: backpressure.is_idle)
    assert (watched.resumed, watched.given_up) == (2, 0)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "::1"])  # noqa: S104 - as in a container
async def test_a_server_on_any_address_sees_its_clients(backpressure: Backpressure, host: str) -> None:
    with ExitStack() as stack:
        pairs = [Pair(stack, host) for _ in range(3)]
        for pair in pairs:
            await stalled(backpressure, pair)
        await eventually(lambda: all(pair.watched.given_up for pair in pairs))
        assert all(pair.watched.connection is not None for pair in pairs)


async def test_a_connection_that_has_the_same_addresses_later_is_another(backpressure: Backpressure) -> None:
    with ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as listener:

        def connect() -> tuple[socket.socket, socket.socket]:
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Closed by a reset: its addresses are free again at once.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.bind(("127.0.0.1", port))
            client.connect(listener.getsockname())
            return client, listener.accept()[0]

        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        client, accepted = connect()
        watched = Watched(accepted)
        backpressure.watch(watched)
        await eventually(lambda: watched.resumed)
        connection, number = watched.connection, accepted.fileno()
        assert connection is not None
        assert connection.read_acked() is not None
        client.close()
        accepted.close()

        client, accepted = connect()
        stack.callback(client.close)
        stack.callback(accepted.close)
        # Both ends and the number are those of the first one.
        assert (accepted.getpeername(), accepted.fileno()) == (watched.ends.peer, number)
        accepted.sendall(b"x" * 100)
        assert connection.read_acked() is None
        watched.note(BLIND_BYTES + QUANTUM_BYTES)
        backpressure.watch(watched)
        await eventually(lambda: watched.given_up and backpressure.is_idle)
        accepted.sendall(b"y")
        client.settimeout(10)
        while not client.recv(200).endswith(b"y"):
            """The other connection goes on."""


async def test_no_descriptor_is_left_behind(backpressure: Backpressure, tmp_path: Path) -> None:
    with ExitStack() as stack, (tmp_path / "file").open("w"):
        first, second = os.pipe()
        stack.callback(os.close, first)
        stack.callback(os.close, second)
        pairs = [Pair(stack) for _ in range(4)]
        before = open_descriptors()
        for pair in pairs * 5:
            pair.watched.note(1000)
            backpressure.watch(pair.watched)
            await eventually(lambda: backpressure.is_idle)
        await stalled(backpressure, pairs[0])
        await eventually(lambda: is_shut_down(pairs[0].accepted))
        await eventually(lambda: open_descriptors() == before)


@pytest.mark.parametrize(
    ("client", "address"),
    [
        ("127.0.0.1:50000", ("127.0.0.1", 50000)),
        ("[::1]:50000", ("::1", 50000)),
        ("::1:50000", ("::1", 50000)),
        ("unix:", ("unix", 0)),
        ("", ("", 0)),
    ],
)
def test_an_address_is_taken_apart(client: str, address: tuple[str, int]) -> None:
    assert address_of(client) == address
