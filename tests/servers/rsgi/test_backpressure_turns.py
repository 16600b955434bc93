"""Checks of clients share the event loop, and rarely search for connections."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Collection
from contextlib import ExitStack

import pytest

from choirbook.servers.connections import ConnectionEnds, Connections, TcpConnection
from choirbook.servers.rsgi.backpressure import QUANTUM_BYTES, Backpressure
from tests.servers.rsgi.test_backpressure import STALL_S, WAYS, Counted, Pair, pair
from tests.support.waiting import eventually

__all__ = ["pair"]

OVER_A_UNIX_SOCKET = ConnectionEnds(("unix", 0), ("unix", 0))


class Turns(Counted):
    """Notes how often others had a turn before it was resumed."""

    def __init__(self, seen: list[int], turns: list[int]) -> None:
        super().__init__(OVER_A_UNIX_SOCKET)
        self._seen, self._turns = seen, turns

    def resume(self) -> None:
        super().resume()
        self._seen.append(self._turns[0])


async def test_others_have_a_turn_between_two_clients_that_go_on() -> None:
    turns, seen = [0], list[int]()

    async def take_turns() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    backpressure, windows = Backpressure(STALL_S), [Turns(seen, turns) for _ in range(20)]
    others = asyncio.create_task(take_turns())
    try:
        for window in windows:
            window.note(QUANTUM_BYTES)
            backpressure.watch(window)
        # Within the deadline of one wait: none of them waits for the others.
        await eventually(lambda: all(window.resumed for window in windows))
    finally:
        others.cancel()
    assert seen == sorted(set(seen))
    await eventually(lambda: backpressure.is_idle)


class Searched(Connections):
    """Counts searches."""

    searches = 0

    def search(self, wanted: Collection[ConnectionEnds]) -> dict[ConnectionEnds, TcpConnection]:
        self.searches += 1
        return super().search(wanted)


@pytest.mark.parametrize("way", WAYS)
async def test_client_that_was_found_is_not_searched_for_again(pair: Pair, way: str) -> None:
    connections = Searched(ask_kernel=WAYS[way])
    backpressure, watched = Backpressure(STALL_S, connections), pair.watched
    backpressure.watch(watched)
    await eventually(lambda: watched.resumed)
    watched.fill()
    backpressure.watch(watched)
    await eventually(lambda: watched.given_up)
    # The kernel answers without a search.
    assert connections.searches == (0 if WAYS[way] else 1)
    await eventually(lambda: backpressure.is_idle)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "127.0.0.1"])  # noqa: S104 - as in a container
async def test_client_that_reads_is_sent_more_whatever_address_the_server_listens_on(host: str) -> None:
    backpressure = Backpressure(STALL_S)
    with ExitStack() as stack:
        pair = Pair(stack, host)
        watched = pair.watched
        pair.accepted.settimeout(10)
        for number in range(1, 9):
            pair.accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * QUANTUM_BYTES)
            await asyncio.to_thread(_exchange, pair, QUANTUM_BYTES)
            watched.note(QUANTUM_BYTES)
            backpressure.watch(watched)
            await eventually(lambda number=number: watched.resumed == number or watched.given_up)  # type: ignore[misc]
            assert (watched.resumed, watched.given_up) == (number, 0)


def _exchange(pair: Pair, count: int) -> None:
    """Send to a client that reads all of it."""
    reader = threading.Thread(target=_read, args=(pair.client, count))
    reader.start()
    pair.accepted.sendall(b"x" * count)
    reader.join()


def _read(client: socket.socket, count: int) -> None:
    client.settimeout(10)
    while count:
        count -= len(client.recv(min(count, 65536)))
