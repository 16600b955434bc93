"""MCP calls of both eras over the app in this process."""

from typing import Any

import httpx

from carrel.mcp.messages import CLIENT_CAPABILITIES, PROTOCOL_VERSION
from carrel.mcp.revisions import MODERN
from tests.support.apps import Served

NOW = MODERN[0]
META: dict[str, Any] = {PROTOCOL_VERSION: NOW, CLIENT_CAPABILITIES: {}}
ACCEPT = "application/json, text/event-stream"
_NAMED = {"resources/read": "uri", "tools/call": "name", "prompts/get": "name"}


async def post(served: Served, value: Any, **headers: str | None) -> httpx.Response:
    """Post a JSON value, or bytes as they are; a header that is None is left out."""
    named: dict[str, str | None] = {"content-type": "application/json", "accept": ACCEPT}
    named |= {name.replace("_", "-"): each for name, each in headers.items()}
    body = {"content": value} if isinstance(value, bytes) else {"json": value}
    sent = {name: each for name, each in named.items() if each is not None}
    # httpx adds what is not there; what a test leaves out has to be taken out again.
    request = served.client.build_request("POST", "/mcp", headers=sent, **body)
    for name in named.keys() - sent.keys():
        request.headers.pop(name, None)
    return await served.client.send(request)


def handshake_message(method: str, id_: Any = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}


async def handshake(
    served: Served, method: str, revision: str | None = None, **params: Any
) -> httpx.Response:
    """Call a method as a client of the handshake era does."""
    return await post(served, handshake_message(method, **params), mcp_protocol_version=revision)


def modern_message(method: str, id_: Any = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id_, "method": method, "params": {"_meta": META, **params}}


def modern_headers(message: dict[str, Any]) -> dict[str, str | None]:
    """Return the headers that repeat parts of a message."""
    parameter = _NAMED.get(message["method"])
    name = message["params"].get(parameter) if parameter else None
    return {
        "mcp_protocol_version": NOW,
        "mcp_method": message["method"],
        "mcp_name": None if name is None else str(name),
    }


async def modern(served: Served, method: str, **params: Any) -> httpx.Response:
    """Call a method as a client of the modern era does."""
    message = modern_message(method, **params)
    return await post(served, message, **modern_headers(message))
