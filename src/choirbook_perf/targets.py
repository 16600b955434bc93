"""Requests for single reads, and the evaluation of answers: over plain HTTP, and over MCP in both eras. Pure.

It is independent of the transport: the probe sends requests with urllib, the load generator with Locust.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

import msgspec

MODERN_VERSION = "2026-07-28"
HANDSHAKE_VERSION = "2025-11-25"

_HTTP_PREFIX = "/mcp/resources/"
_URI_PREFIX = "mcp://resources/"
_TYPES = {"sdlc": "sdlc", "patterns": "pattern", "templates": "template", "files": "file"}
_CACHE_RESULTS = {"hit": "hit", "miss": "miss", "stale": "hit"}  # stale content comes from memory too
_OK = range(200, 300)
_MAX_REASON = 200
_CLIENT = {"name": "choirbook-perf", "version": "1"}

UNKNOWN = "unknown"


class Request(NamedTuple):
    """A request to send."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None = None


class Headers(Protocol):
    """Headers of an answer, names in any case."""

    def get(self, name: str, default: Any = None, /) -> Any:
        """Return a header, or the default."""
        ...


class Answer(NamedTuple):
    """Evaluated answer."""

    failure: str
    """Reason why it counts as failed; "" on success."""
    cache_result: str = UNKNOWN


class RpcError(msgspec.Struct, frozen=True):
    """The error of a JSON-RPC reply."""

    code: int
    message: str = ""


class Reply(msgspec.Struct, frozen=True):
    """A JSON-RPC reply, its result not yet decoded."""

    result: msgspec.Raw = msgspec.Raw()
    """Empty when there is none."""
    error: RpcError | None = None


class _Contents(msgspec.Struct, frozen=True):
    contents: list[msgspec.Raw]


_decode_reply = msgspec.json.Decoder(Reply).decode
_decode_contents = msgspec.json.Decoder(_Contents).decode


class HttpTarget:
    """Plain HTTP: one GET per read."""

    def __init__(self, origin: str) -> None:
        self._origin = origin

    def read(self, path: str) -> Request:
        """Return the request for a path."""
        # Decompression would be done in the generator's own time.
        return Request("GET", self._origin + path, {"Accept": "*/*", "Accept-Encoding": "identity"})

    @staticmethod
    def judge(status: int, headers: Headers, body: bytes) -> Answer:
        """Evaluate the answer to a read."""
        if status not in _OK:
            return Answer(f"status {status}")
        if not body:
            return Answer("empty answer")
        return Answer("", cache_result(headers))


class McpTarget:
    """MCP over streamable HTTP.

    Args:
        endpoint: URL of the endpoint.
        era: `modern` or `handshake`.
        session_id: Id of a session that the server issued, "" without one.
        version: Protocol version, as negotiated in the handshake.
    """

    def __init__(
        self, endpoint: str, era: str, session_id: str = "", version: str = HANDSHAKE_VERSION
    ) -> None:
        self.era = era
        self.session_id = session_id
        self._endpoint = endpoint
        self._version = MODERN_VERSION if era == "modern" else version

    def call(self, method: str, id_: int | None = 1, **params: Any) -> Request:
        """Return the request for any method; a notification if the id is None."""
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "Accept-Encoding": "identity",
        }
        if method != "initialize":
            headers["MCP-Protocol-Version"] = self._version
        if self.session_id:
            headers["Mcp-Session-Id"] = self.session_id
        if self.era == "modern":
            headers["Mcp-Method"] = method
            if "uri" in params:
                headers["Mcp-Name"] = _header_value(params["uri"])
            params["_meta"] = {
                "io.modelcontextprotocol/protocolVersion": MODERN_VERSION,
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": _CLIENT,
            }
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
        if id_ is not None:
            message["id"] = id_
        return Request("POST", self._endpoint, headers, msgspec.json.encode(message))

    def read(self, uri: str) -> Request:
        """Return the request for a URI."""
        return self.call("resources/read", uri=uri)

    def initialize(self) -> Request:
        """Return the first request of the handshake era."""
        return self.call("initialize", protocolVersion=HANDSHAKE_VERSION, capabilities={}, clientInfo=_CLIENT)

    def end(self) -> Request:
        """Return the request that ends the session."""
        headers = {"Mcp-Session-Id": self.session_id, "MCP-Protocol-Version": self._version}
        return Request("DELETE", self._endpoint, headers)

    @staticmethod
    def judge(status: int, headers: Headers, body: bytes) -> Answer:
        """Evaluate the answer to a read."""
        reply = decode_reply(headers, body)
        if reply is not None and reply.error is not None:
            return Answer(f"JSON-RPC error {reply.error.code}: {reply.error.message}"[:_MAX_REASON])
        if status not in _OK:
            return Answer(f"status {status}")
        if reply is None or not bytes(reply.result):
            return Answer("the answer is not a JSON-RPC reply")
        try:
            contents = _decode_contents(reply.result).contents
        except msgspec.MsgspecError:
            return Answer("the result has no contents")
        return Answer("", cache_result(headers)) if contents else Answer("the contents are empty")


def decode_reply(headers: Headers, body: bytes) -> Reply | None:
    """Return the JSON-RPC reply in a body, either JSON or a stream of events; None if there is none."""
    if "text/event-stream" not in str(headers.get("content-type", "")):
        return _reply(body)
    replies = (_reply(b"\n".join(_data(event))) for event in body.replace(b"\r\n", b"\n").split(b"\n\n"))
    # A server may send notifications on the same stream before the reply.
    return next((reply for reply in replies if reply and (bytes(reply.result) or reply.error)), None)


def _data(event: bytes) -> list[bytes]:
    return [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]


def _reply(body: bytes) -> Reply | None:
    try:
        return _decode_reply(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def cache_result(headers: Headers) -> str:
    """Return the value of `X-Cache`, `unknown` if there is none."""
    return _CACHE_RESULTS.get(str(headers.get("x-cache", "")).lower(), UNKNOWN)


def uri_of(name: str) -> str:
    """Return the URI of a resource as a scenario names it."""
    if "://" in name:
        return name
    return _URI_PREFIX + name.removeprefix(_HTTP_PREFIX)


def path_of(name: str) -> str:
    """Return the HTTP path of a resource as a scenario names it."""
    if name.startswith("/"):
        return name
    return _HTTP_PREFIX + quote(name.removeprefix(_URI_PREFIX))


def resource_type(address: str) -> str:
    """Return the type of a resource by its URI or path, `unknown` outside of Choirbook's layout."""
    for prefix in (_URI_PREFIX, _HTTP_PREFIX):
        if address.startswith(prefix):
            return _TYPES.get(address.removeprefix(prefix).partition("/")[0], UNKNOWN)
    return UNKNOWN


def _header_value(text: str) -> str:
    """Return a URI as a header value: base64 unless it is plain ASCII."""
    plain = text.isascii() and text.isprintable() and text == text.strip() and not text.startswith("=?")
    return text if plain else f"=?base64?{b64encode(text.encode()).decode()}?="
