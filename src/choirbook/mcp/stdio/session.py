"""Subscriptions of a stdio client: its streams share stdout with everything else.

In the handshake era the pipe itself is the session; in the modern era each `subscriptions/listen` is one
stream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from choirbook.errors import Era, InvalidParams
from choirbook.http.exchange import LossReason, Outlet, Stream
from choirbook.library.library import Library
from choirbook.mcp.client_stream import ClientStream
from choirbook.mcp.notification_messages import cancelled
from choirbook.mcp.open_streams import OpenStreams
from choirbook.mcp.subscriptions import MAX_URIS

Put = Callable[[bytes, Callable[[], None] | None], None]
"""Queues one line for stdout, and calls a function on the event loop once it is written."""


class PipeOutlet:
    """Connection of one stream to stdout."""

    def __init__(self, put: Put, resume: Callable[[], None], on_end: Callable[[], None]) -> None:
        self._put = put
        self._resume = resume
        self._on_end = on_end

    def send(self, messages: Sequence[bytes]) -> bool:
        """See `Outlet.send`. One batch at a time: the pipe may be full."""
        for message in messages[:-1]:
            self._put(message, None)
        self._put(messages[-1], self._resume)
        return False

    def keep_alive(self) -> None:
        """See `Outlet.keep_alive`. A pipe needs none."""

    def end(self) -> None:
        """See `Outlet.end`."""
        self._on_end()


class PipeSession:
    """Handshake-era session of a pipe.

    Args:
        library: Library to subscribe to.
        streams: Open streams of this worker.
        put: See `Put`.
    """

    def __init__(self, library: Library, streams: OpenStreams, put: Put) -> None:
        self._library = library
        self._streams = streams
        self._put = put
        self._stream: ClientStream | None = None

    def open(self) -> None:
        """Begin to notify the client of changes; repeated calls have no effect."""
        if self._stream is None:
            self._stream = stream = ClientStream(self._streams, Era.HANDSHAKE, None, wants_list=True)
            stream.open(PipeOutlet(self._put, stream.resume, lambda: None))

    async def subscribe(self, uri: str) -> None:
        """See `Session.subscribe`."""
        self.open()
        stream = self._stream
        assert stream is not None, "the stream was opened above"
        if len(stream.watched) >= MAX_URIS:
            raise InvalidParams(f"There are {MAX_URIS} subscriptions already. Unsubscribe from one of them.")
        document = self._library.document_of(uri)
        if document is not None:
            stream.watch(document.uri, uri)

    async def unsubscribe(self, uri: str) -> None:
        """See `Session.unsubscribe`."""
        if self._stream is not None:
            self._stream.unwatch(uri)


class PipeStreams:
    """Modern-era streams of a pipe, by the ids of their requests.

    Args:
        put: See `Put`.
    """

    def __init__(self, put: Put) -> None:
        self._put = put
        self._streams: dict[bytes, Stream] = {}

    def __contains__(self, id_: bytes) -> bool:
        """Return whether a stream with this id is open."""
        return id_ in self._streams

    def open(self, id_: bytes, stream: Stream) -> None:
        """Begin to send a stream."""
        self._streams[id_] = stream
        outlet: Outlet = PipeOutlet(self._put, stream.resume, lambda: self._forget(id_))
        stream.open(outlet)

    def cancel(self, id_: bytes) -> bool:
        """End a stream that the client cancels; return whether it was open."""
        stream = self._streams.pop(id_, None)
        if stream is None:
            return False
        stream.lost(LossReason.CLIENT)
        return True

    def close(self) -> None:
        """End all streams: the client is gone."""
        for id_ in list(self._streams):
            self.cancel(id_)

    def _forget(self, id_: bytes) -> None:
        del self._streams[id_]
        # There is no connection whose closing would show it.
        self._put(cancelled(id_), None)
