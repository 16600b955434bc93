"""Requests of both protocols and both eras. Pure."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec

from choirbook_perf.targets.judging import Judged, content_failure
from choirbook_perf.targets.operations import FIRST_ID, HTTP, READ, Request
from choirbook_perf.targets.replies import Headers, cache_result
from choirbook_perf.targets.sessions import Handshake

MODERN_VERSION = "2026-07-28"
HANDSHAKE_VERSION = "2025-11-25"

_CLIENT = {"name": "choirbook-perf", "version": "1"}
_NAMED_BY = {"resources/read": "uri", "tools/call": "name", "prompts/get": "name"}
"""The parameter that the modern era repeats in the header `Mcp-Name`."""


class HttpTarget:
    """Plain HTTP: one GET per read."""

    def __init__(self, origin: str) -> None:
        self._origin = origin

    def read(self, path: str) -> Request:
        """Return the request for a path."""
        # Decompression would be done in the generator's own time.
        return Request("GET", self._origin + path, {"Accept": "*/*", "Accept-Encoding": "identity"})

    @staticmethod
    def judge(status: int, headers: Headers, body: bytes) -> Judged:
        """Evaluate the answer to a read."""
        failure = content_failure(HTTP, status, headers, body)
        return Judged(failure) if failure else Judged("", cache_result(headers))


class McpTarget:
    """MCP over streamable HTTP.

    Args:
        endpoint: URL of the endpoint.
        era: `modern` or `handshake`.
    """

    def __init__(self, endpoint: str, era: str) -> None:
        self.era = era
        self._endpoint = endpoint

    def call(self, method: str, id_: int | None = FIRST_ID, **params: Any) -> Request:
        """Return the request for any method; a notification if the id is None."""
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "Accept-Encoding": "identity",
        }
        if self.era == "modern":
            headers |= {"MCP-Protocol-Version": MODERN_VERSION, "Mcp-Method": method}
            if method in _NAMED_BY and _NAMED_BY[method] in params:
                headers["Mcp-Name"] = _header_value(params[_NAMED_BY[method]])
            params["_meta"] = {
                "io.modelcontextprotocol/protocolVersion": MODERN_VERSION,
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": _CLIENT,
            }
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
        if id_ is not None:
            # At the end, where a generator puts others, see `operations.numbered`.
            message["id"] = id_
        return Request("POST", self._endpoint, headers, msgspec.json.encode(message))

    def read(self, uri: str) -> Request:
        """Return the request for a URI."""
        return self.call(READ, uri=uri)

    def handshake(self, version: str = HANDSHAKE_VERSION) -> Handshake:
        """Return the requests that open and end a session.

        Args:
            version: Protocol version to ask for.
        """
        initialize = self.call("initialize", protocolVersion=version, capabilities={}, clientInfo=_CLIENT)
        return Handshake(
            initialize=initialize,
            initialized=self.call("notifications/initialized", None),
            end=Request("DELETE", self._endpoint, {}),
        )

    @staticmethod
    def judge(status: int, headers: Headers, body: bytes) -> Judged:
        """Evaluate the answer to a read."""
        failure = content_failure(READ, status, headers, body)
        return Judged(failure) if failure else Judged("", cache_result(headers))


def _header_value(text: str) -> str:
    """Return a URI as a header value: base64 unless it is plain ASCII."""
    plain = text.isascii() and text.isprintable() and text == text.strip() and not text.startswith("=?")
    return text if plain else f"=?base64?{b64encode(text.encode()).decode()}?="
