"""Errors that Choirbook raises on purpose, and their status and code for clients.

The tree::

    ChoirbookError
    ├── StartupError            prevents a start; the command line exits with `exit_code`
    │   ├── InvalidSettings
    │   ├── InvalidLibrary
    │   ├── AddressUnavailable
    │   └── ExtraMissing
    ├── CommandError            a command to a running server failed; it exits with `exit_code`
    │   ├── CallRefused
    │   ├── ServerUnreachable
    │   ├── TokenRefused
    │   ├── NotChoirbook
    │   └── ServerIncomplete
    └── RequestError            reported to a client; one row each in `TABLE`
        ├── InvalidUri, ResourceNotFound, SectionNotFound, ResourceUnreadable, NotReady
        ├── InvalidParams, InvalidCursor, SearchUnavailable
        ├── ParseFailed, InvalidRequest, MethodNotFound
        ├── MetaMissing, HeaderMismatch, UnsupportedVersion, CapabilityMissing
        ├── SessionNotFound, StreamTaken, Overloaded, QuotaExceeded, BatchTooLarge, Unauthenticated
        └── MethodNotAllowed, NotAcceptable, UnsupportedMediaType, BodyTooLarge,
            BodyTimeout, OriginForbidden, HostMisdirected, RangeNotSatisfiable

A message says what was wrong, where, and what to do. It never names a path of the machine.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar, NamedTuple


class Era(StrEnum):
    """Family of MCP revisions. A `StrEnum`, as its hash is computed in C: tables are keyed by it."""

    HANDSHAKE = "handshake"
    MODERN = "modern"


class ChoirbookError(Exception):
    """Root of the tree."""

    exit_code: ClassVar[int] = 1
    """Exit code of a command that ends with this error."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class StartupError(ChoirbookError):
    """A condition that must be fixed before Choirbook can start."""

    exit_code: ClassVar[int] = 2


class InvalidSettings(StartupError):
    """A flag, variable or line of the settings file has a value that cannot be used."""


class InvalidLibrary(StartupError):
    """The library's directory or its `choirbook.toml` cannot be used."""


class AddressUnavailable(StartupError):
    """The address to listen on is taken or not ours."""

    exit_code = 1


class ExtraMissing(StartupError):
    """A command needs packages that are installed on request only."""

    exit_code = 6


class CommandError(ChoirbookError):
    """Failure of a command that called a running server."""


class CallRefused(CommandError):
    """The server refuses the call, with a reason."""


class ServerUnreachable(CommandError):
    """No server answers at the address."""

    exit_code = 3


class TokenRefused(CommandError):
    """The server requires a different token."""

    exit_code = 4


class NotChoirbook(CommandError):
    """Another program answers at the address."""

    exit_code = 5


class ServerIncomplete(CommandError):
    """The call succeeded, but not in all of the server's workers, or not completely."""

    exit_code = 7


class RequestError(ChoirbookError):
    """An error that is reported to a client.

    Args:
        message: What was wrong, where, and what to do.
        data: Members to send with the message: of the JSON-RPC error's `data`, and of the problem details of
            RFC 9457.
    """

    def __init__(self, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.data = data


class InvalidUri(RequestError):
    """A URI that no resource could have."""


class ResourceNotFound(RequestError):
    """A well-formed URI that names nothing in the library."""


class SectionNotFound(RequestError):
    """A section that its document does not have; `data["sections"]` lists those it has, up to a bound."""


class ResourceUnreadable(RequestError):
    """The document exists, but its bytes could not be read."""


class NotReady(RequestError):
    """The first scan of the library is not complete yet."""


class InvalidParams(RequestError):
    """A parameter is missing, of the wrong type, or out of range."""


class InvalidCursor(InvalidParams):
    """A cursor that this server did not issue."""


class SearchUnavailable(RequestError):
    """A search that cannot run now: too many are queued, or the search engine is missing."""


class ParseFailed(RequestError):
    """The body is not JSON."""


class InvalidRequest(RequestError):
    """The body is JSON but not a JSON-RPC message that may be sent here."""


class MethodNotFound(RequestError):
    """A method that does not exist in the era, or belongs to a capability that is not offered."""


class MetaMissing(RequestError):
    """`params._meta` or one of its required keys is missing (modern era)."""


class HeaderMismatch(RequestError):
    """A routing header is missing, malformed, repeated, or differs from the body (modern era)."""


class UnsupportedVersion(RequestError):
    """A protocol revision that this server does not serve."""


class CapabilityMissing(RequestError):
    """The client did not declare a required capability; `data["requiredCapabilities"]` lists it."""


class SessionNotFound(RequestError):
    """A session id that was never issued, or has ended (handshake era)."""


class StreamTaken(RequestError):
    """The session already has an open stream (handshake era)."""


class Overloaded(RequestError):
    """The worker has reached its limit of open streams or of queued reads."""


class QuotaExceeded(RequestError):
    """The client's address has reached its quota of a common limit."""


def exhausted() -> Overloaded:
    """Create the error for a request that needs a file descriptor when none is left."""
    return Overloaded(
        "The server has no free file descriptor for this request. Cached documents are still served; try "
        "again later."
    )


class BatchTooLarge(RequestError):
    """The replies to a batch exceed the limit together."""


class Unauthenticated(RequestError):
    """A call of the admin API without its token, or with a wrong one."""


class MethodNotAllowed(RequestError):
    """An HTTP method that the route does not have; `data["allow"]` lists those it has."""


class NotAcceptable(RequestError):
    """Nothing that the route can send is acceptable to the client."""


class UnsupportedMediaType(RequestError):
    """The request's body is of a type that the route does not read."""


class BodyTooLarge(RequestError):
    """The request's body is over the limit."""


class BodyTimeout(RequestError):
    """The request's body did not arrive in time."""


class OriginForbidden(RequestError):
    """A browser page of an origin that is not on the list."""


class HostMisdirected(RequestError):
    """A `Host` that this server does not answer for."""


class RangeNotSatisfiable(RequestError):
    """A range that lies beyond the document's end; `data["size"]` is its size in bytes."""


class Outcome(NamedTuple):
    """Status and codes of one error on each surface."""

    title: str
    http: int
    """HTTP status on the resource routes."""
    handshake: tuple[int, int]
    """(HTTP status, JSON-RPC code) at /mcp, revisions up to 2025-11-25."""
    modern: tuple[int, int]
    """(HTTP status, JSON-RPC code) at /mcp, revision 2026-07-28."""


# JSON-RPC codes: https://www.jsonrpc.org/specification#error_object; -32002 is the handshake era's
# "resource not found", -32020 to -32022 are the modern era's. In the modern era a missing resource
# travels with HTTP 200: a 400 would make clients fall back to the older era.
TABLE: dict[type[RequestError], Outcome] = {
    InvalidUri: Outcome("Invalid URI", 400, (200, -32602), (200, -32602)),
    ResourceNotFound: Outcome("Resource not found", 404, (200, -32002), (200, -32602)),
    SectionNotFound: Outcome("Section not found", 404, (200, -32602), (200, -32602)),
    ResourceUnreadable: Outcome("Resource unreadable", 500, (200, -32603), (200, -32603)),
    NotReady: Outcome("Not ready", 503, (503, -32603), (503, -32603)),
    InvalidParams: Outcome("Invalid parameters", 400, (200, -32602), (200, -32602)),
    InvalidCursor: Outcome("Invalid cursor", 400, (200, -32602), (200, -32602)),
    SearchUnavailable: Outcome("Search unavailable", 503, (503, -32603), (503, -32603)),
    ParseFailed: Outcome("Malformed JSON", 400, (400, -32700), (400, -32700)),
    InvalidRequest: Outcome("Invalid request", 400, (400, -32600), (400, -32600)),
    MethodNotFound: Outcome("Route not found", 404, (200, -32601), (404, -32601)),
    MetaMissing: Outcome("Missing request metadata", 400, (400, -32602), (400, -32602)),
    HeaderMismatch: Outcome("Header mismatch", 400, (400, -32020), (400, -32020)),
    UnsupportedVersion: Outcome("Unsupported protocol version", 400, (400, -32602), (400, -32022)),
    CapabilityMissing: Outcome("Client capability missing", 400, (400, -32600), (400, -32021)),
    SessionNotFound: Outcome("Session not found", 404, (404, -32600), (404, -32600)),
    StreamTaken: Outcome("Stream is open already", 409, (409, -32600), (409, -32600)),
    Overloaded: Outcome("Too busy", 503, (503, -32603), (503, -32603)),
    BatchTooLarge: Outcome("Batch too large", 413, (200, -32600), (200, -32600)),
    QuotaExceeded: Outcome("Too much from one address", 429, (429, -32603), (429, -32603)),
    Unauthenticated: Outcome("Token missing", 401, (401, -32600), (401, -32600)),
    MethodNotAllowed: Outcome("Method not allowed", 405, (405, -32600), (405, -32600)),
    NotAcceptable: Outcome("Not acceptable", 406, (406, -32600), (406, -32600)),
    UnsupportedMediaType: Outcome("Unsupported media type", 415, (415, -32600), (415, -32600)),
    BodyTooLarge: Outcome("Body too large", 413, (413, -32600), (413, -32600)),
    BodyTimeout: Outcome("Body not received in time", 408, (408, -32600), (408, -32600)),
    OriginForbidden: Outcome("Origin forbidden", 403, (403, -32600), (403, -32600)),
    HostMisdirected: Outcome("Misdirected request", 421, (421, -32600), (421, -32600)),
    RangeNotSatisfiable: Outcome("Range not satisfiable", 416, (416, -32600), (416, -32600)),
}


def http_status(error: RequestError) -> int:
    """Return the HTTP status of an error on the resource routes."""
    return TABLE[type(error)].http


def mcp_outcome(error: RequestError, era: Era) -> tuple[int, int]:
    """Return (HTTP status, JSON-RPC code) for the era."""
    row = TABLE[type(error)]
    return row.modern if era is Era.MODERN else row.handshake
