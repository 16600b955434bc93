"""Streams over RSGI, without a task each.

Granian accepts data at once, and reports when the client has hung up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from choirbook.http.exchange import LossReason, Stream, Streaming
from choirbook.http.sse import KEEP_ALIVE, events
from choirbook.model import Header
from choirbook.servers.connections import ConnectionEnds
from choirbook.servers.rsgi.backpressure import QUANTUM_BYTES, Backpressure, SendWindow, address_of


class Transport(Protocol):
    """Granian's end of a streamed response."""

    def send_bytes(self, data: bytes) -> object:
        """Queue bytes. The result need not be awaited; it only reports that a client is gone."""


class Disconnect(Protocol):
    """A future, done when the client has hung up."""

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Register a function to call on the event loop when it is done or cancelled."""

    def cancel(self) -> bool:
        """Stop waiting."""


class ConnectionAddresses(Protocol):
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


class RsgiOutlet(SendWindow):
    """One client's end of a stream."""

    __slots__ = ("_backpressure", "_disconnect", "_stream", "_transport")

    def __init__(
        self,
        transport: Transport,
        disconnect: Disconnect,
        stream: Stream,
        ends: ConnectionEnds,
        backpressure: Backpressure,
    ) -> None:
        super().__init__(ends)
        self._transport: Transport | None = transport
        self._disconnect = disconnect
        self._stream = stream
        self._backpressure = backpressure

    def send(self, messages: Sequence[bytes]) -> bool:
        """See `Outlet.send`."""
        self._write(events(messages))
        if self.unchecked < QUANTUM_BYTES:
            return True
        self._backpressure.watch(self)
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
            self._stream.lost(LossReason.CLIENT)

    def resume(self) -> None:
        """See `SendWindow.resume`."""
        self._stream.resume()

    def disconnect(self) -> None:
        """See `SendWindow.disconnect`."""
        self.end()
        self._stream.lost(LossReason.SLOW)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.send_bytes(data)
            self.sent += len(data)
            self.unchecked += len(data)


def open_stream(
    streaming: Streaming, peer: ConnectionAddresses, protocol: StreamingProtocol, backpressure: Backpressure
) -> None:
    """Begin to stream, without waiting.

    Args:
        streaming: Stream to send.
        peer: Client that gets it.
        protocol: Sends it.
        backpressure: Checks clients that were sent much.
    """
    transport = protocol.response_stream(streaming.status, streaming.headers)
    disconnect = protocol.client_disconnect()
    ends = ConnectionEnds(address_of(peer.client), address_of(peer.server))
    outlet = RsgiOutlet(transport, disconnect, streaming.stream, ends, backpressure)
    disconnect.add_done_callback(outlet.hear_disconnect)
    streaming.stream.open(outlet)
