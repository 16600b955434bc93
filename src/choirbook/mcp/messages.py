"""Decoding of JSON-RPC messages from bytes. Pure.

A well-formed request is decoded once, straight into typed values. Anything else is examined again, slowly, to
say what is wrong with it.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from choirbook.errors import InvalidParams, InvalidRequest, ParseFailed, RequestError

MAX_ID_CHARACTERS = 128
"""Maximum length of a request id, which is echoed with every reply."""

MAX_BATCH = 64
"""Maximum number of messages in one batch (revision 2025-03-26)."""

PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion"
CLIENT_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
CLIENT_INFO = "io.modelcontextprotocol/clientInfo"

_T = TypeVar("_T")

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# The raw text of an id: an integer, or a string whose escapes the decoder has checked.
_ZERO = ord("0")
_ID = re.compile(rb'-?(?:0|[1-9][0-9]*)\Z|"[^"\\\x00-\x1f]*"\Z')


class ClientCapabilities(msgspec.Struct, frozen=True):
    """Capabilities of a client; an object whose members this server does not use."""


class Meta(msgspec.Struct, frozen=True, gc=False):
    """`params._meta`, as far as it is used here."""

    protocol_version: str | UnsetType = msgspec.field(default=UNSET, name=PROTOCOL_VERSION)
    client_capabilities: ClientCapabilities | UnsetType = msgspec.field(
        default=UNSET, name=CLIENT_CAPABILITIES
    )


class Params(msgspec.Struct, frozen=True, gc=False):
    """Common parameters, and those that decide about a request as a whole.

    Each method decides which of them it needs, and decodes any others with `parameters`.
    """

    meta: Meta | UnsetType = msgspec.field(default=UNSET, name="_meta")
    uri: str | UnsetType = UNSET
    cursor: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    protocol_version: str | UnsetType = msgspec.field(default=UNSET, name="protocolVersion")
    request_id: str | int | UnsetType = msgspec.field(default=UNSET, name="requestId")


NO_PARAMS = Params()


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    jsonrpc: str
    method: str
    id: msgspec.Raw | UnsetType = UNSET
    params: Params = NO_PARAMS
    result: msgspec.Raw | UnsetType = UNSET
    error: msgspec.Raw | UnsetType = UNSET


class _OfAnyParams(msgspec.Struct, frozen=True):
    params: dict[str, Any] = {}


class Message(msgspec.Struct, frozen=True, gc=False):
    """One request or notification.

    `id` is the raw JSON of the request's id, to be copied into the reply; None in a notification. `source` is
    the message itself, for methods whose parameters are not in `Params`.
    """

    id: bytes | None
    method: str
    params: Params
    source: bytes


class PostedResponse(msgspec.Struct, frozen=True):
    """A response that the client sent: accepted without effect in the handshake era."""


class Malformed(msgspec.Struct, frozen=True):
    """A message that cannot be carried out, with as much of it as could be read."""

    error: RequestError
    id: bytes | None = None
    claims_modern: bool = False
    method: str = ""


BatchItem = Message | PostedResponse | Malformed


class Batch(msgspec.Struct, frozen=True):
    """An array of messages."""

    items: tuple[BatchItem, ...]


Decoded = Message | PostedResponse | Malformed | Batch

_decoder = msgspec.json.Decoder(_Envelope)
_decoder_of_params = msgspec.json.Decoder(_OfAnyParams)


def decode(body: bytes) -> Decoded:
    """Decode one message, or a batch of them."""
    if not body.isascii():
        # RFC 8259, section 8.1: a reader may ignore it. The SDKs do.
        body = body.removeprefix(_BYTE_ORDER_MARK)
        # The decoder does not validate strings that it skips.
        try:
            body.decode("utf-8")
        except UnicodeDecodeError as error:
            return Malformed(ParseFailed(f"The body is not UTF-8: {error.reason} at byte {error.start}."))
    try:
        envelope = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _examine(body)
    except RecursionError:
        return _nested_too_deep()
    id_ = None if envelope.id is UNSET else bytes(envelope.id)
    # Most ids are short positive numbers.
    is_known = id_ is None or (id_.isdigit() and id_[0] != _ZERO and len(id_) <= MAX_ID_CHARACTERS)
    if (
        not (is_known or _is_plain_id(id_))
        or envelope.jsonrpc != "2.0"
        or envelope.result is not UNSET
        or envelope.error is not UNSET
    ):
        return _examine(body)
    return Message(id_, envelope.method, envelope.params, body)


def parameters(source: bytes, type_: type[_T]) -> _T:
    """Decode the parameters of a message into the type of its method.

    Args:
        source: A complete message, decoded before.
        type_: A struct, whose members are the parameters.

    Raises:
        InvalidParams: They do not match; the message says which one and why.
    """
    try:
        return msgspec.convert(_decoder_of_params.decode(source).params, type_)
    except msgspec.ValidationError as fault:
        raise InvalidParams(f"The parameters are invalid: {fault}.") from None
    except RecursionError:
        raise InvalidParams("The parameters are nested too deeply. Send flat values.") from None


def _is_plain_id(id_: bytes | None) -> bool:
    """Return whether the raw text of an id may be echoed as it is."""
    return id_ is not None and len(id_) <= MAX_ID_CHARACTERS and _ID.match(id_) is not None


def _nested_too_deep() -> Malformed:
    return Malformed(ParseFailed("The body is nested too deeply. Send flat values."))


def _examine(body: bytes) -> Decoded:
    """Examine a body that is not a well-formed message: find the error, or decode it the slow way."""
    try:
        return _read_slowly(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Malformed(ParseFailed(f"The body is not JSON: {error}."))
    except RecursionError:
        return _nested_too_deep()


def _read_slowly(value: Any) -> Decoded:
    if not isinstance(value, list):
        return _classify(value)
    if not value:
        return Malformed(InvalidRequest("The batch is empty."))
    if len(value) > MAX_BATCH:
        return Malformed(
            InvalidRequest(f"The batch has {len(value)} messages; at most {MAX_BATCH} are allowed.")
        )
    return Batch(tuple(_classify(item) for item in value))


def _classify(value: Any) -> Message | PostedResponse | Malformed:
    """Classify a JSON value as a message; the first check that fails decides."""
    if not isinstance(value, dict):
        return Malformed(InvalidRequest("The message is not a JSON object."))
    claims = _claims_modern(value)
    id_ = _id_of(value)
    method = value.get("method")
    name = method if isinstance(method, str) else ""
    error = _envelope_fault(value)
    if error is not None:
        return Malformed(error, id_, claims, name)
    if "method" not in value:
        return PostedResponse()
    try:
        params = msgspec.convert(value.get("params", {}), Params)
    except msgspec.ValidationError as fault:
        return Malformed(InvalidParams(f"The parameters are invalid: {fault}."), id_, claims, name)
    return Message(id_ if "id" in value else None, name, params, msgspec.json.encode(value))


def _envelope_fault(value: dict[str, Any]) -> RequestError | None:
    has_method, has_outcome = "method" in value, "result" in value or "error" in value
    checks = (
        (value.get("jsonrpc") != "2.0", 'The message has no "jsonrpc": "2.0".'),
        (has_method == has_outcome, "The message must have a method, a result or an error."),
        (has_method and not isinstance(value["method"], str), "The method is not a string."),
        (
            "id" in value and _id_of(value) is None,
            f"The id must be a string or an integer of at most {MAX_ID_CHARACTERS} characters.",
        ),
        (not has_method and "id" not in value, "The response has no id."),
        (not isinstance(value.get("params", {}), dict), "The params are not an object."),
    )
    return next((InvalidRequest(message) for is_broken, message in checks if is_broken), None)


def _id_of(value: dict[str, Any]) -> bytes | None:
    """Return the raw JSON of an id that may be echoed, or None."""
    id_ = value.get("id")
    if isinstance(id_, bool) or not isinstance(id_, str | int):
        return None
    raw = msgspec.json.encode(id_) if isinstance(id_, str) else str(id_).encode()
    return raw if len(raw) <= MAX_ID_CHARACTERS else None


def _claims_modern(value: dict[str, Any]) -> bool:
    params = value.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    return isinstance(meta, dict) and PROTOCOL_VERSION in meta
