"""FastMCP servers that have only one kind of thing: `python -m ... tools|templates|stdio`."""

from __future__ import annotations

import socket
import sys

import uvicorn
from fastmcp import FastMCP


def _tools(server: FastMCP) -> None:
    @server.tool(annotations={"readOnlyHint": True})
    def season() -> str:
        """Return the season."""
        return "autumn"

    @server.tool
    def delete(path: str) -> str:
        """Delete something, which no load test may do unasked."""
        raise AssertionError(path)


def _templates(server: FastMCP) -> None:
    @server.resource("weather://{city}/today")
    def weather(city: str) -> str:
        """Return the weather of a city."""
        return f"Rain in {city}.\n" * 20


def main() -> None:
    """Serve on a port that the system chooses, or over stdio."""
    kind = sys.argv[1]
    server: FastMCP = FastMCP(kind, version="7")
    if kind == "templates":
        _templates(server)
    else:
        _tools(server)
    if kind == "stdio":
        server.run("stdio", show_banner=False)
        return
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    uvicorn.Server(uvicorn.Config(server.http_app(), log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
