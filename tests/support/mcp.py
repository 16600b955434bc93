"""MCP calls of both eras over the app in this process."""

from typing import Any

import httpx

from choirbook import __version__
from choirbook.mcp.messages import CLIENT_CAPABILITIES, PROTOCOL_VERSION
from choirbook.mcp.revisions import MODERN
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


def handshake_message(method: str, /, id_: Any = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}


async def handshake(
    served: Served, method: str, /, revision: str | None = None, **params: Any
) -> httpx.Response:
    """Call a method as a client of the handshake era does."""
    return await post(served, handshake_message(method, **params), mcp_protocol_version=revision)


def modern_message(method: str, /, id_: Any = 1, **params: Any) -> dict[str, Any]:
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


async def modern(served: Served, method: str, /, **params: Any) -> httpx.Response:
    """Call a method as a client of the modern era does."""
    message = modern_message(method, **params)
    return await post(served, message, **modern_headers(message))


CALLS = {"handshake": handshake, "modern": modern}
"""How a client of each era calls a method."""

STAMP = {"io.modelcontextprotocol/serverInfo": {"name": "choirbook", "version": __version__}}


_CACHEABLE = {
    "server/discover",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
    "tools/list",
}
"""Methods whose modern results say for how long they hold; no others may."""


async def result(served: Served, era: str, method: str, /, **params: Any) -> dict[str, Any]:
    """Call a method, and check what is around every result of the era."""
    response = await CALLS[era](served, method, **params)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()["result"]
    if era == "modern":
        assert found.pop("resultType") == "complete"
        assert found.pop("_meta") == STAMP
        if method in _CACHEABLE:
            assert (found.pop("ttlMs"), found.pop("cacheScope")) == (1000, "public")
    assert not {"resultType", "_meta", "ttlMs", "cacheScope"} & set(found)
    return found


async def error(served: Served, era: str, method: str, /, **params: Any) -> dict[str, Any]:
    """Call a method that fails with HTTP 200, and return the error."""
    response = await CALLS[era](served, method, **params)
    assert response.status_code == 200, response.text
    failed: dict[str, Any] = response.json()["error"]
    return failed
