"""Streams of an app in this process: a test is the server that hands them an outlet."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from choirbook.http.exchange import Request, Response, Streaming
from choirbook.mcp.client_stream import ClientStream
from choirbook.servers.asgi.server import AsgiHeaders
from tests.support.apps import Served
from tests.support.mcp import ACCEPT
from tests.support.shelves import Client


async def answered(
    served: Served, method: str, value: Any = None, **headers: str | None
) -> Response | Streaming:
    """Send a request to the MCP endpoint, and return the answer as a server gets it."""
    named = {"host": "127.0.0.1", "content-type": "application/json", "accept": ACCEPT}
    named |= {name.replace("_", "-"): each for name, each in headers.items() if each is not None}
    given = AsgiHeaders([(name.encode(), each.encode()) for name, each in named.items()])
    body = b"" if value is None else msgspec.json.encode(value)
    answer = served.app.respond(Request(method, "/mcp", "", given, body))
    return await answer if inspect.isawaitable(answer) else answer


async def stream_of(
    served: Served, method: str, value: Any = None, **headers: str | None
) -> tuple[ClientStream, Client]:
    """Open the stream that a request asks for."""
    answer = await answered(served, method, value, **headers)
    assert isinstance(answer, Streaming), answer
    assert answer.status == 200
    assert dict(answer.headers)["content-type"] == "text/event-stream"
    assert isinstance(answer.stream, ClientStream)
    client = Client()
    answer.stream.open(client)
    return answer.stream, client
