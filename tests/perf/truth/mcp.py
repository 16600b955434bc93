"""MCP of the truth server: just enough of the modern era to be listed and read. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

ENDPOINT = "/mcp"
URI = "truth://document"
READ = "resources/read"
_VERSION = "2026-07-28"
_INFO = {"name": "truth", "version": "1"}
_RESULTS: dict[str, dict[str, Any]] = {
    "server/discover": {
        "supportedVersions": [_VERSION],
        "capabilities": {"resources": {}},
        "serverInfo": _INFO,
        "_meta": {"io.modelcontextprotocol/serverInfo": _INFO},
    },
    "resources/list": {"resources": [{"uri": URI, "name": "document"}]},
    "resources/templates/list": {"resourceTemplates": []},
}


class Call(NamedTuple):
    """A request."""

    method: str
    id: Any


class _Message(msgspec.Struct):
    method: str
    id: Any = None


def parse(body: bytes) -> Call:
    """Return the request in a body."""
    message = msgspec.json.decode(body, type=_Message)
    return Call(message.method, message.id)


def reply(call: Call) -> bytes:
    """Return the answer to anything but a read."""
    result = _RESULTS.get(call.method)
    if result is None:
        error = {"code": -32601, "message": f"{call.method} is not served"}
        return msgspec.json.encode({"jsonrpc": "2.0", "id": call.id, "error": error})
    return _result(call, result)


def contents(call: Call, document: bytes) -> bytes:
    """Return the answer to a read."""
    entry = {"uri": URI, "mimeType": "text/plain", "text": document.decode()}
    return _result(call, {"contents": [entry]})


def _result(call: Call, result: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": call.id, "result": result})
