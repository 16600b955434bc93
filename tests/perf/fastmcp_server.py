"""A FastMCP server with resources of a foreign layout, listed two per page: `python -m ... COUNT`.

As FastMCP makes it by default: answers are streams of events, and the handshake era has sessions.
"""

from __future__ import annotations

import socket
import sys

import uvicorn
from fastmcp import FastMCP
from fastmcp.resources import TextResource
from pydantic import AnyUrl

PAGE = 2


def main() -> None:
    """Serve on a port that the system chooses, until a signal."""
    server: FastMCP = FastMCP("shelf", version="7", list_page_size=PAGE)
    for number in range(int(sys.argv[1])):
        uri = f"shelf://books/{number}"
        server.add_resource(
            TextResource(uri=AnyUrl(uri), name=f"book-{number}", text=f"Page {number}.\n" * 20)
        )
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    uvicorn.Server(uvicorn.Config(server.http_app(), log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
