"""Request and Response: the seam between servers and surfaces.

A server creates a `Request` from incoming data and sends the `Response`; a surface knows neither RSGI nor
ASGI. An answer that is ready is a `Response`, any other is a coroutine of one: a cached read is answered
without an await. A response that stays open is a `Streaming`, which only a coroutine returns.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from choirbook.errors import RequestError
from choirbook.model import Header, Reading, ResourceInfo

MAX_LOGGED_URI = 256
"""Maximum characters logged of a URI that names nothing: clients decide its length."""


class Headers(Protocol):
    """Request headers, looked up in lower case."""

    def get(self, name: str, default: Any = None) -> Any:
        """Return the first value of a header, or the default."""

    def get_all(self, name: str) -> list[str]:
        """Return all values of a header."""

    def __contains__(self, name: object, /) -> bool:
        """Return whether a header is present, even if its value cannot be read as text."""


class Connection(Protocol):
    """Connection of a request."""

    @property
    def client(self) -> str:
        """Address and port of the client, such as `127.0.0.1:5000`; may be built on each call."""

    @property
    def authority(self) -> str | None:
        """Authority of a request line in absolute form; None for the usual form."""


class Request(msgspec.Struct, gc=False):
    """Request of a client.

    `path` is decoded text, `query` is as it was sent, `body` is complete and within the limit.
    """

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes = b""
    connection: Connection | None = None
    """Connection of the request; None if it has no address, as on a Unix socket."""
    mount: str = ""
    """Prefix of the path that the mounting application removed, such as `/standards`."""


class Revalidation(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A read that ended in 304: the client has the bytes."""

    info: ResourceInfo


class FailedRead(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A read that ended in an error."""

    uri: str
    """URI as the client wrote it, shortened; for the log only."""
    reason: str
    """Name of the error's class."""


def failed_read(uri: str, error: RequestError) -> FailedRead:
    """Describe a read that ended in an error.

    Args:
        uri: As the client wrote it, of any length.
        error: Error sent to the client.
    """
    return FailedRead(uri[:MAX_LOGGED_URI], type(error).__name__)


Read = Reading | Revalidation | FailedRead


class Operation(msgspec.Struct, frozen=True, gc=False):
    """An answered MCP message. All names are from closed sets, as they become labels."""

    method: str
    error: str = ""
    """Error code, "" on success."""
    tool: str = ""
    """Tool that was called, if any."""


class Mark(Protocol):
    """Mark of a traced request; a surface only passes it on."""

    @property
    def trace_id(self) -> int:
        """Id of the trace that the request belongs to."""


class Response(msgspec.Struct, frozen=True, gc=False):
    """Response to a client. `reads` and `operations` tell observers what was done for it.

    Some are shared by many requests, so none is changed after it was created: additions are made to a
    copy. Its lists are not changed either.
    """

    status: int
    headers: list[Header]
    body: bytes = b""
    reads: tuple[Read, ...] = ()
    operations: tuple[Operation, ...] = ()
    mark: Mark | None = None
    """Set if the request is to be traced."""


RequestSource = Request | bytes | None
"""Request of a response, which names the client; over a pipe, its message. None if none arrived whole."""

Record = Callable[[Response, float, RequestSource], None]
"""Records a response that was just sent, with the monotonic time at which its request was complete, and its
request."""


class LossReason(StrEnum):
    """Reason why a client is no longer reachable."""

    CLIENT = "client"
    """The client closed the connection."""
    SLOW = "slow"
    """The client did not read what was sent."""


class Outlet(Protocol):
    """The server's handle on one client of a stream. Nothing here waits."""

    def send(self, messages: Sequence[bytes]) -> bool:
        """Send messages.

        Args:
            messages: JSON texts; the server frames them.

        Returns:
            Whether the client keeps up. If not, nothing may be sent until the stream's `resume`.
        """

    def keep_alive(self) -> None:
        """Show that the stream is alive, if the transport needs it."""

    def end(self) -> None:
        """End the stream after the messages sent so far. The stream is not notified."""


class Stream(Protocol):
    """Source of messages over time; a server calls it on the event loop."""

    def open(self, outlet: Outlet) -> None:
        """Begin to send: the client is listening."""

    def resume(self) -> None:
        """Continue: the client has read what it was sent."""

    def lost(self, loss: LossReason) -> None:
        """Stop sending: the client is no longer reachable. Repeated calls have no effect."""


class Streaming(msgspec.Struct):
    """A response without a fixed end: its stream sends messages as they occur."""

    status: int
    headers: list[Header]
    stream: Stream
    operations: tuple[Operation, ...] = ()
    """Messages that opened it, as in a `Response`."""


Answer = Response | Coroutine[Any, Any, Response | Streaming]

Handler = Callable[[Request], Answer]

PrefixOf = Callable[[Request], str]
"""Returns the path prefix under which a client finds this server, such as `/standards`; see
`Proxies.prefix_of`."""


def mount_of(request: Request) -> str:
    """Return the prefix that the mounting application removed: the `PrefixOf` of a server without proxies."""
    return request.mount


AddCors = Callable[[Headers, Response], Response]
"""Adds CORS headers to a response, if the request with these headers came from an allowed page."""


def without_cors(_: Headers, response: Response) -> Response:
    """Return a response unchanged: the `AddCors` of a server without pages of other origins."""
    return response
