"""A server made with the official Python SDK, 1.x, in `.cache/clients`: `python ... sessions|json|stdio`.

With `sessions` its answers are streams of events, with `json` there are no sessions.
"""

from __future__ import annotations

import socket
import sys

import uvicorn
from mcp.server.fastmcp import FastMCP


def main() -> None:
    """Serve on a port that the system chooses, or over stdio."""
    kind = sys.argv[1]
    server = FastMCP("python-sdk-1", stateless_http=kind == "json", json_response=kind == "json")

    @server.resource("note://one")
    def one() -> str:
        """Return a note."""
        return "The first note.\n" * 20

    @server.tool()
    def add(left: int, right: int) -> int:
        """Add two numbers."""
        return left + right

    if kind == "stdio":
        server.run("stdio")
        return
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    uvicorn.Server(uvicorn.Config(server.streamable_http_app(), log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
