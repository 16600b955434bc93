"""How much a client has taken, over real connections."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from carrel.servers.pressure import BLIND_BYTES, QUANTUM_BYTES, Gauge, Pressure, peer_of
from tests.support.waiting import eventually

STALL_S = 0.2


class Watched(Gauge):
    """One end of a connection to a client that reads when it is told to."""

    def __init__(self, server_side: socket.socket) -> None:
        super().__init__(server_side.getpeername())
        self._socket = server_side
        self.resumed = self.given_up = 0

    def resume(self) -> None:
        self.resumed += 1

    def give_up(self) -> None:
        self.given_up += 1

    def fill(self) -> None:
        """Send until the system takes no more, and count what an unbounded queue would hold besides."""
        self._socket.settimeout(0)
        try:
            while True:
                self.note(self._socket.send(b"x" * 65536))
        except BlockingIOError:
            self.note(2 * QUANTUM_BYTES)

    def note(self, count: int) -> None:
        self.sent += count
        self.unseen += count


@pytest.fixture
def ends() -> Iterator[tuple[Watched, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            yield Watched(accepted), client


async def test_a_client_that_takes_what_it_is_sent_goes_on(ends: tuple[Watched, socket.socket]) -> None:
    watched, _ = ends
    watched.note(QUANTUM_BYTES)
    Pressure(STALL_S).watch(watched)
    await eventually(lambda: watched.resumed)
    assert (watched.resumed, watched.given_up, watched.unseen) == (1, 0, 0)


async def test_a_client_that_takes_nothing_is_cut_off(ends: tuple[Watched, socket.socket]) -> None:
    watched, client = ends
    pressure = Pressure(STALL_S)
    pressure.watch(watched)
    await eventually(lambda: watched.resumed)
    # For how long there was nothing to take does not count.
    quiet_s = time.monotonic() + STALL_S
    await eventually(lambda: time.monotonic() > quiet_s)
    watched.fill()
    started_s = time.monotonic()
    pressure.watch(watched)
    await eventually(lambda: watched.given_up)
    assert (watched.resumed, watched.given_up) == (1, 1)
    assert time.monotonic() - started_s >= STALL_S
    client.settimeout(10)
    while client.recv(65536):
        """What was sent before the cut is still read; then there is no more."""


async def test_nobody_is_called_about_a_stream_that_is_over(ends: tuple[Watched, socket.socket]) -> None:
    watched, _ = ends
    pressure = Pressure(STALL_S)
    watched.is_over = True
    pressure.watch(watched)
    await eventually(lambda: pressure.is_idle)
    assert (watched.resumed, watched.given_up) == (0, 0)


async def test_a_client_that_cannot_be_seen_is_given_up_after_a_while(
    ends: tuple[Watched, socket.socket],
) -> None:
    watched, _ = ends
    watched.peer = ("192.0.2.1", 1)
    pressure = Pressure(STALL_S)
    watched.note(QUANTUM_BYTES)
    pressure.watch(watched)
    await eventually(lambda: watched.resumed)
    watched.note(BLIND_BYTES)
    pressure.watch(watched)
    await eventually(lambda: watched.given_up)


@pytest.mark.parametrize(
    ("client", "peer"),
    [
        ("127.0.0.1:50000", ("127.0.0.1", 50000)),
        ("[::1]:50000", ("::1", 50000)),
        ("::1:50000", ("::1", 50000)),
        ("unix:", ("unix", 0)),
        ("", ("", 0)),
    ],
)
def test_an_address_is_taken_apart(client: str, peer: tuple[str, int]) -> None:
    assert peer_of(client) == peer
