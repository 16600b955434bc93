"""A server made with the official SDK that has the mission's resources, listed two a page, with sessions.

With a second argument `json` its answers are JSON instead of streams, and there are no sessions.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

import mcp_types as types
import uvicorn
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from starlette.applications import Starlette

PAGE = 2
NAMES = (
    "sdlc/core",
    "patterns/core",
    "templates/prd-template",
    "templates/epic-template",
    "templates/hls-template",
    "templates/backlog-story-template",
)

_Context = ServerRequestContext[Any]


async def _list(_: _Context, params: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
    first = int(params.cursor) if params and params.cursor else 0
    following = first + PAGE
    return types.ListResourcesResult(
        resources=[
            types.Resource(uri=f"mcp://resources/{name}", name=name) for name in NAMES[first:following]
        ],
        next_cursor=str(following) if following < len(NAMES) else None,
    )


async def _read(_: _Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
    uri = str(params.uri)
    contents = types.TextResourceContents(uri=uri, mime_type="text/plain", text="A line of it.\n" * 20)
    return types.ReadResourceResult(contents=[contents])


def make_app(*, is_plain: bool) -> Starlette:
    """Return the server as an app; a plain one has JSON answers and no sessions."""
    server: Server[Any] = Server("sdk", version="3", on_list_resources=_list, on_read_resource=_read)
    return server.streamable_http_app(json_response=is_plain, stateless_http=is_plain)


def main() -> None:
    """Serve on a port that the system chooses, until a signal."""
    app = make_app(is_plain="json" in sys.argv)
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
