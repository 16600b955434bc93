"""Streams over RSGI, without a task each.

Granian accepts data at once, and reports when the client has hung up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from choirbook.http.exchange import Loss, Stream, Streaming
from choirbook.http.sse import KEEP_ALIVE, events
from choirbook.model import Header
from choirbook.servers.connections import Ends
from choirbook.servers.rsgi.backpressure import QUANTUM_BYTES, Gauge, Pressure, address_of


class Transport(Protocol):
    """Granian's end of a streamed response."""

    def send_bytes(self, data: bytes) -> object:
        """Queue bytes. The result need not be awaited; it only tells that a client is gone."""


class Disconnect(Protocol):
    """A future, done when the client has hung up."""

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Register a function to call on the event loop when it is done or cancelled."""

    def cancel(self) -> bool:
        """Stop waiting."""


class Peer(Protocol):
    """Part of Granian's scope with the addresses of the connection."""

    client: str
    """Address of the client's end of the connection, such as `127.0.0.1:50000`."""
    server: str
    """Listening address of the server, such as `0.0.0.0:8000`."""


class StreamingProtocol(Protocol):
    """Part of Granian's protocol for streams."""

    def response_stream(self, status: int, headers: list[Header]) -> Transport:
        """Send the head of a response, and return the transport of its body."""

    def client_disconnect(self) -> Disconnect:
        """Return a future that is done when the client hangs up."""


class RsgiOutlet(Gauge):
    """One client's end of a stream."""

    __slots__ = ("_disconnect", "_pressure", "_stream", "_transport")

    def __init__(
        self, transport: Transport, disconnect: Disconnect, stream: Stream, ends: Ends, pressure: Pressure
    ) -> None:
        super().__init__(ends)
        self._transport: Transport | None = transport
        self._disconnect = disconnect
        self._stream = stream
        self._pressure = pressure

    def send(self, messages: Sequence[bytes]) -> bool:
        """See `Outlet.send`."""
        self._write(events(messages))
        if self.unseen < QUANTUM_BYTES:
            return True
        self._pressure.watch(self)
        return False

    def keep_alive(self) -> None:
        """See `Outlet.keep_alive`."""
        self._write(KEEP_ALIVE)

    def end(self) -> None:
        """See `Outlet.end`."""
        # Granian ends the response when nothing references the transport any more.
        self._transport = None
        self.is_over = True
        self._disconnect.cancel()

    def hear_disconnect(self, _: object) -> None:
        """Handle that the client has hung up."""
        if self._transport is not None:
            self.end()
            self._stream.lost(Loss.CLIENT)

    def resume(self) -> None:
        """See `Gauge.resume`."""
        self._stream.resume()

    def give_up(self) -> None:
        """See `Gauge.give_up`."""
        self.end()
        self._stream.lost(Loss.SLOW)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.send_bytes(data)
            self.sent += len(data)
            self.unseen += len(data)


def open_stream(streaming: Streaming, peer: Peer, protocol: StreamingProtocol, pressure: Pressure) -> None:
    """Begin to stream; returns at once.

    Args:
        streaming: Stream to send.
        peer: Client that gets it.
        protocol: Sends it.
        pressure: Checks clients that were sent much.
    """
    transport = protocol.response_stream(streaming.status, streaming.headers)
    disconnect = protocol.client_disconnect()
    ends = Ends(address_of(peer.client), address_of(peer.server))
    outlet = RsgiOutlet(transport, disconnect, streaming.stream, ends, pressure)
    disconnect.add_done_callback(outlet.hear_disconnect)
    streaming.stream.open(outlet)
