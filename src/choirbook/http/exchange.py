"""Request and Response: the seam between servers and surfaces.

A server makes a `Request` of what came in and sends the `Response`; a surface knows neither RSGI
nor ASGI. An answer that is ready is a `Response`, any other is a coroutine of one: a cached read
is answered without an await. What stays open is a `Streaming`, which only a coroutine returns.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from choirbook.errors import RequestError
from choirbook.model import Header, Reading, ResourceInfo

MAX_LOGGED_URI = 256
"""Characters that are kept of a URI that names nothing: clients decide how long it is."""


class Headers(Protocol):
    """Request headers; names are asked for in lower case."""

    def get(self, name: str, default: Any = None) -> Any:
        """Return the first value of a header, or the default."""

    def get_all(self, name: str) -> list[str]:
        """Return all values of a header."""

    def __contains__(self, name: object, /) -> bool:
        """Tell whether a header is there, also where its value cannot be read as text."""


class Connection(Protocol):
    """The connection that a request came over."""

    @property
    def client(self) -> str:
        """Return the address and port of its other end, such as `127.0.0.1:5000`; may make it anew."""

    @property
    def authority(self) -> str | None:
        """Return the authority of a request line in absolute form; None for the usual form."""


class Request(msgspec.Struct, gc=False):
    """What a client sent.

    `path` is decoded text, `query` is as it was sent, `body` is whole and within the limit.
    """

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes = b""
    connection: Connection | None = None
    """None where a connection has no address, as on a Unix socket."""
    mount: str = ""
    """The path that the mounting application keeps before `path`, such as `/standards`."""


class Revalidation(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A read that ended in 304: the client has the bytes."""

    info: ResourceInfo


class FailedRead(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A read that ended in an error."""

    uri: str
    """As the client wrote it, shortened; goes to the log only."""
    reason: str
    """Name of the error's class."""


def failed_read(uri: str, error: RequestError) -> FailedRead:
    """Take note of a read that ended in an error.

    Args:
        uri: As the client wrote it, of any length.
        error: What the client is told.
    """
    return FailedRead(uri[:MAX_LOGGED_URI], type(error).__name__)


Read = Reading | Revalidation | FailedRead


class Operation(msgspec.Struct, frozen=True, gc=False):
    """A message of MCP that was answered. All names are from closed sets, as they become labels."""

    method: str
    error: str = ""
    """What it ended in, "" if all went well."""
    tool: str = ""
    """The tool that was called, if one was."""


class Mark(Protocol):
    """What those who trace note on a response; a surface only passes it on."""

    @property
    def trace_id(self) -> int:
        """Of the trace that the request is part of."""


class Response(msgspec.Struct, frozen=True, gc=False):
    """What a client gets. `reads` and `operations` tell the observers what was done on the way.

    Some are ready-made and sent to many, so none is changed once it is made: whoever adds to one makes
    another. Its lists are not changed either.
    """

    status: int
    headers: list[Header]
    body: bytes = b""
    reads: tuple[Read, ...] = ()
    operations: tuple[Operation, ...] = ()
    mark: Mark | None = None
    """That it is to be traced."""


Asked = Request | bytes | None
"""What a response answers, in which the client says who it is: its request or, over a pipe, its message. None
where no whole request arrived."""

Record = Callable[[Response, float, Asked], None]
"""Takes note of a response that was just sent, with the monotonic time at which its request was whole, and
its request."""


class Loss(StrEnum):
    """Why a client no longer gets what is sent to it."""

    CLIENT = "client"
    """It hung up."""
    SLOW = "slow"
    """It did not take what was sent."""


class Outlet(Protocol):
    """One client's end of a stream, as a server gives it. Nothing here waits."""

    def send(self, messages: Sequence[bytes]) -> bool:
        """Send messages.

        Args:
            messages: JSON texts; the server frames them.

        Returns:
            Whether the client keeps up. If not, nothing is to be sent until the stream's `resume`.
        """

    def keep_alive(self) -> None:
        """Show that the stream is alive, where the transport needs it."""

    def end(self) -> None:
        """End the stream after what was sent. The stream hears no more of it."""


class Stream(Protocol):
    """What is sent over time; a server calls it on the event loop."""

    def open(self, outlet: Outlet) -> None:
        """Begin: the client listens."""

    def resume(self) -> None:
        """Go on: the client has taken what it was sent."""

    def lost(self, loss: Loss) -> None:
        """Give up: the client gets nothing any more. Again does no harm."""


class Streaming(msgspec.Struct):
    """A response without an end of its own: its stream sends messages as they come up."""

    status: int
    headers: list[Header]
    stream: Stream
    operations: tuple[Operation, ...] = ()
    """What opened it, as of a `Response`."""


Answer = Response | Coroutine[Any, Any, Response | Streaming]

Handler = Callable[[Request], Answer]

PrefixOf = Callable[[Request], str]
"""Returns the path below which a client finds this server, such as `/standards`; see `Proxies.prefix_of`."""


def mount_of(request: Request) -> str:
    """Return the path that the mounting application keeps: the `PrefixOf` of a server without proxies."""
    return request.mount


Share = Callable[[Headers, Response], Response]
"""Lets the page that sent a request with these headers read a response."""


def keep(_: Headers, response: Response) -> Response:
    """Return a response as it is: the `Share` of a server that no page of another origin uses."""
    return response
