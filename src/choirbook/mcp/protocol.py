"""MCP without I/O: the era of a message, whether it may be answered, and replies.

Pure. HTTP and stdio pass in messages and, over HTTP, the routing headers; they get a `Call`, or the first
check that failed, as an error. Order of checks in the modern era, as the conformance suite requires: `_meta`,
headers against the body, version; then method and parameters, elsewhere.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any, Protocol

import msgspec
from msgspec import UNSET

from choirbook.errors import (
    Era,
    HeaderMismatch,
    InvalidRequest,
    MetaMissing,
    RequestError,
    UnsupportedVersion,
    mcp_outcome,
)
from choirbook.http.exchange import Headers, Request
from choirbook.mcp.messages import (
    CLIENT_CAPABILITIES,
    PROTOCOL_VERSION,
    Malformed,
    Message,
    Meta,
    Params,
    PostedResponse,
)
from choirbook.mcp.revisions import ASSUMED, HANDSHAKE, MODERN, SERVED, era_of

_NAMED_METHODS = {"resources/read": "uri", "tools/call": "name", "prompts/get": "name"}
"""Methods with an `Mcp-Name` header, and the parameter it repeats."""

_BASE64_PREFIX, _BASE64_SUFFIX = "=?base64?", "?="


class Session(Protocol):
    """Identity of a handshake-era client: an HTTP session, or its pipe."""

    async def subscribe(self, uri: str) -> None:
        """Notify the client of a resource's changes.

        Raises:
            InvalidParams: It has reached its limit of subscriptions.
            SessionNotFound: The session has ended.
        """

    async def unsubscribe(self, uri: str) -> None:
        """Cancel a subscription; an unknown one has no effect."""


class Call(msgspec.Struct, frozen=True, gc=False):
    """A message that may be carried out. `id` is None in a notification."""

    id: bytes | None
    method: str
    params: Params
    era: Era
    source: bytes
    """See `Message`."""
    session: Session | None = None
    """Session of the client; only with methods about subscriptions."""
    headers: Headers | None = None
    """Headers in which the client repeats parts of the message; only over HTTP, in the modern era."""
    request: Request | None = None
    """HTTP request with the message, if `headers` are set; has the client's address."""


class Fault(msgspec.Struct, frozen=True):
    """A message that is rejected: the error, and the era of its reply."""

    error: RequestError
    era: Era
    id: bytes | None = None


def accept_posted(message: Message, headers: Headers, request: Request | None = None) -> Call | Fault:
    """Check a message that came by HTTP.

    Args:
        message: Message that was posted.
        headers: Headers that repeat parts of it are checked too, see "Headers" in the revision 2026-07-28.
        request: Its HTTP request, for methods that need the sender.
    """
    meta = message.params.meta
    if meta is UNSET:
        if _is_handshake_header(version_headers(headers)):
            return Call(message.id, message.method, message.params, Era.HANDSHAKE, message.source)
    elif _is_consistent(message, meta, headers):
        return Call(
            message.id, message.method, message.params, Era.MODERN, message.source, None, headers, request
        )
    era = _era_of_message(message.params, version_headers(headers))
    if era is Era.HANDSHAKE:
        return Call(message.id, message.method, message.params, era, message.source)
    error = _modern_meta_fault(message.params)
    if error is None:
        error = _header_fault(message, headers) or _version_fault(message.params)
    if error is not None:
        return Fault(error, era, message.id)
    return Call(message.id, message.method, message.params, era, message.source, None, headers, request)


def accept_piped(message: Message) -> Call | Fault:
    """Check a message that came by stdio, where there are no headers."""
    meta = message.params.meta
    if meta is UNSET or meta.protocol_version is UNSET:
        # `server/discover` exists in the modern era only, so without that era's `_meta` it is faulty.
        if message.method == "server/discover":
            return Fault(_missing(PROTOCOL_VERSION), Era.MODERN, message.id)
        return Call(message.id, message.method, message.params, Era.HANDSHAKE, message.source)
    error = _modern_meta_fault(message.params) or _version_fault(message.params)
    if error is not None:
        return Fault(error, Era.MODERN, message.id)
    return Call(message.id, message.method, message.params, Era.MODERN, message.source)


def refuse(malformed: Malformed, versions: list[str]) -> Fault:
    """Turn a malformed message into a fault of its apparent era."""
    modern = malformed.claims_modern or not _is_handshake_header(versions)
    return Fault(malformed.error, Era.MODERN if modern else Era.HANDSHAKE, malformed.id)


def claims_modern(item: Message | PostedResponse | Malformed) -> bool:
    """Return whether a message declares the modern era in its `_meta`."""
    if isinstance(item, Message):
        return item.params.meta is not UNSET and item.params.meta.protocol_version is not UNSET
    return isinstance(item, Malformed) and item.claims_modern


def is_modern_header(versions: list[str]) -> bool:
    """Return whether the version header names a revision of the modern era."""
    return any(era_of(value.strip()) is Era.MODERN for value in versions)


def handshake_revision(versions: list[str]) -> str:
    """Return the revision of a handshake-era POST."""
    return versions[0].strip() if versions else ASSUMED


def reply(id_: bytes, result: bytes) -> bytes:
    """Insert a request's id into a ready result."""
    # Copies the result once; adding the parts up would copy it twice.
    return b"".join((b'{"jsonrpc":"2.0","id":', id_, b',"result":', result, b"}"))


def error_reply(fault: Fault) -> tuple[int, bytes]:
    """Return the HTTP status and body for a fault; an unknown id is omitted."""
    status, code = mcp_outcome(fault.error, fault.era)
    error: dict[str, Any] = {"code": code, "message": fault.error.message}
    if fault.error.data:
        error["data"] = fault.error.data
    head = b'{"jsonrpc":"2.0",' if fault.id is None else b'{"jsonrpc":"2.0","id":' + fault.id + b","
    return status, head + b'"error":' + msgspec.json.encode(error) + b"}"


def version_headers(headers: Headers) -> list[str]:
    """Return every value of the version header, as sent."""
    return headers.get_all("mcp-protocol-version")


def _is_consistent(message: Message, meta: Meta, headers: Headers) -> bool:
    """Return quickly whether a modern request passes all checks, as nearly all do.

    Requests that fail here are checked one condition at a time, and may still be valid (a header in Base64).
    """
    method = message.method
    if meta.client_capabilities is UNSET or meta.protocol_version not in MODERN:
        return False
    values_of = headers.get_all
    if values_of("mcp-protocol-version") != [meta.protocol_version] or values_of("mcp-method") != [method]:
        return False
    if method == "resources/read":
        return values_of("mcp-name") == [message.params.uri]
    return method not in _NAMED_METHODS or values_of("mcp-name") == [message.params.name]


def _era_of_message(params: Params, versions: list[str]) -> Era:
    """Decide the era: the body first, then the header (see "Which era" in docs/adr/0003)."""
    if params.meta is not UNSET and params.meta.protocol_version is not UNSET:
        return Era.MODERN
    return Era.HANDSHAKE if _is_handshake_header(versions) else Era.MODERN


def _is_handshake_header(values: list[str]) -> bool:
    if len(values) == 1:
        return values[0] in HANDSHAKE or era_of(values[0].strip()) is Era.HANDSHAKE
    return not values


def _modern_meta_fault(params: Params) -> RequestError | None:
    meta = params.meta
    if meta is UNSET or meta.protocol_version is UNSET:
        return _missing(PROTOCOL_VERSION)
    if meta.client_capabilities is UNSET:
        return _missing(CLIENT_CAPABILITIES)
    return None


def _missing(key: str) -> MetaMissing:
    return MetaMissing(f'params._meta has no "{key}". Revision {MODERN[0]} requires it in every request.')


def _version_fault(params: Params) -> RequestError | None:
    requested = params.meta.protocol_version if params.meta is not UNSET else UNSET
    if requested in MODERN:
        return None
    return UnsupportedVersion(
        f"The protocol revision is not supported in requests with _meta. Use {MODERN[0]}.",
        {"supported": list(SERVED), "requested": requested},
    )


def _header_fault(message: Message, headers: Headers) -> RequestError | None:
    meta = message.params.meta
    claimed = meta.protocol_version if meta is not UNSET else UNSET
    fault = mismatch("MCP-Protocol-Version", version_headers(headers), claimed)
    # The revision defines the other headers for requests only.
    if fault is not None or message.id is None:
        return fault
    fault = mismatch("Mcp-Method", headers.get_all("mcp-method"), message.method)
    if fault is not None:
        return fault
    parameter = _NAMED_METHODS.get(message.method)
    if parameter is None:
        return None
    expected = message.params.uri if parameter == "uri" else message.params.name
    # A request without the parameter gets its own error from the method.
    return None if expected is UNSET else mismatch("Mcp-Name", headers.get_all("mcp-name"), expected)


def mismatch(header: str, values: list[str], expected: Any) -> HeaderMismatch | None:
    """Compare a header with the part of the body that it repeats.

    Args:
        header: Name of the header, for the message.
        values: Every value of it, as sent; there should be one, possibly in the Base64 form.
        expected: Value in the body.
    """
    if len(values) == 1:
        value = values[0]
        if value == expected or _decoded(value.strip()) == expected:
            return None
        return HeaderMismatch(f"The header {header} differs from the body.")
    if not values:
        return HeaderMismatch(f"The header {header} is missing. Send it with the same value as the body.")
    return HeaderMismatch(f"The header {header} was sent more than once. Send it once.")


def _decoded(value: str) -> str | None:
    """Decode a value in the Base64 form; None if it is malformed."""
    if not value.startswith(_BASE64_PREFIX):
        return value
    if not value.endswith(_BASE64_SUFFIX):
        return None
    try:
        encoded = value[len(_BASE64_PREFIX) : -len(_BASE64_SUFFIX)]
        return b64decode(encoded, validate=True).decode("utf-8")
    except (Base64Error, UnicodeDecodeError, ValueError):
        return None


def batch_fault(versions: list[str]) -> Fault:
    """Return the fault of a batch in a revision without batches."""
    error = InvalidRequest("Batches were removed from the protocol. Send one message per request.")
    modern = is_modern_header(versions)
    return Fault(error, Era.MODERN if modern else Era.HANDSHAKE)
