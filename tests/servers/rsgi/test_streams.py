"""Streams over RSGI; a stand-in for Granian keeps what it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from choirbook.http.exchange import LossReason, Outlet, Streaming
from choirbook.http.sse import KEEP_ALIVE, events
from choirbook.model import Header
from choirbook.servers.rsgi.backpressure import QUANTUM_BYTES, Backpressure
from choirbook.servers.rsgi.streams import RsgiOutlet, open_stream
from tests.support.waiting import eventually

FRAME_BYTES = len(events([b""]))


class Granian:
    """Granian's part of one streamed response."""

    client, server = "unix:", "unix:"

    def __init__(self) -> None:
        self.head: tuple[int, list[Header]] | None = None
        self.sent: list[bytes] = []
        self.callbacks: list[Callable[[Any], None]] = []
        self.waits = True

    def response_stream(self, status: int, headers: list[Header]) -> Granian:
        self.head = (status, headers)
        return self

    def client_disconnect(self) -> Granian:
        return self

    def send_bytes(self, data: bytes) -> None:
        self.sent.append(data)

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self.callbacks.append(callback)

    def cancel(self) -> bool:
        self.waits = False
        return True


class Told:
    """The stream that is sent: notes what it is told."""

    def __init__(self) -> None:
        self.outlet: Outlet | None = None
        self.resumed = 0
        self.losses: list[LossReason] = []

    def open(self, outlet: Outlet) -> None:
        self.outlet = outlet

    def resume(self) -> None:
        self.resumed += 1

    def lost(self, loss: LossReason) -> None:
        self.losses.append(loss)


def opened() -> tuple[Granian, Told, RsgiOutlet]:
    granian, stream = Granian(), Told()
    open_stream(Streaming(200, [("a", "b")], stream), granian, granian, Backpressure(30.0))
    assert isinstance(stream.outlet, RsgiOutlet)
    assert granian.head == (200, [("a", "b")])
    return granian, stream, stream.outlet


def of_bytes(count: int) -> Sequence[bytes]:
    """Return a message that is so long once it is framed."""
    return [b"x" * (count - FRAME_BYTES)]


async def test_messages_are_sent_as_events_and_counted() -> None:
    granian, _, outlet = opened()
    assert outlet.send([b'{"a":1}', b"{}"])
    outlet.keep_alive()
    assert granian.sent == [events([b'{"a":1}', b"{}"]), KEEP_ALIVE]
    assert outlet.sent == outlet.unchecked == sum(map(len, granian.sent))


@pytest.mark.parametrize("count", [QUANTUM_BYTES - 1, QUANTUM_BYTES])
async def test_client_is_looked_at_once_it_was_sent_a_quantum(count: int) -> None:
    _, stream, outlet = opened()
    goes_on = count < QUANTUM_BYTES
    assert outlet.send(of_bytes(count)) is goes_on
    assert stream.resumed == 0
    if goes_on:
        assert not outlet.send(of_bytes(100)), "what it was sent before counts too"
    await eventually(lambda: stream.resumed == 1)
    assert outlet.send(of_bytes(100)), "the count begins again"


async def test_nothing_is_sent_after_the_end() -> None:
    granian, stream, outlet = opened()
    outlet.end()
    assert (outlet.is_over, granian.waits) == (True, False)
    outlet.keep_alive()
    outlet.send([b"{}"])
    for callback in granian.callbacks:
        callback(None)  # as Granian calls it for the wait that was cancelled
    assert (granian.sent, outlet.sent, stream.losses) == ([], 0, [])


@pytest.mark.parametrize("loss", [LossReason.CLIENT, LossReason.SLOW])
async def test_stream_is_told_once_why_its_client_is_lost(loss: LossReason) -> None:
    granian, stream, outlet = opened()
    if loss is LossReason.SLOW:
        outlet.disconnect()
    for _ in range(2):
        for callback in granian.callbacks:
            callback(None)
    assert stream.losses == [loss]
    assert outlet.is_over
