"""Request and Response: the seam between servers and surfaces.

A server makes a `Request` of what came in and sends the `Response`; a surface knows neither RSGI
nor ASGI. An answer that is ready is a `Response`, any other is a coroutine of one: a cached read
is answered without an await.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import msgspec

from carrel.errors import RequestError
from carrel.model import Header, Reading, ResourceInfo

MAX_LOGGED_URI = 256
"""Characters that are kept of a URI that names nothing: clients decide how long it is."""


class Headers(Protocol):
    """Request headers; names are asked for in lower case."""

    def get(self, name: str, default: Any = None) -> Any:
        """Return the first value of a header, or the default."""

    def get_all(self, name: str) -> list[str]:
        """Return all values of a header."""


class Request(msgspec.Struct, gc=False):
    """What a client sent.

    `path` is decoded text, `query` is as it was sent, `body` is whole and within the limit.
    """

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes = b""


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


class Response(msgspec.Struct, gc=False):
    """What a client gets. `reads` tells the observers what was read on the way."""

    status: int
    headers: list[Header]
    body: bytes = b""
    reads: tuple[Read, ...] = ()


Answer = Response | Coroutine[Any, Any, Response]

Handler = Callable[[Request], Answer]
