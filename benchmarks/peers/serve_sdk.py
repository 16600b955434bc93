"""The document served by the official Python SDK's `MCPServer`: stateless, JSON answers, under Uvicorn.

Run as `serve_sdk.py PORT DOCUMENT [LOG_LEVEL]`. The default level is the SDK's own, at which it writes a line
for each request of the handshake era; with WARNING it writes none.
"""

import sys
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server import MCPServer

port, document, levels = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
text = document.read_text(encoding="utf-8")
server: MCPServer[Any] = MCPServer("peer", log_level=levels[0]) if levels else MCPServer("peer")  # type: ignore[arg-type]


@server.resource("mcp://resources/files/doc.md", mime_type="text/markdown")
def doc() -> str:
    """Return the document."""
    return text


app = server.streamable_http_app(json_response=True, stateless_http=True)
uvicorn.run(app, port=port, log_level="warning", access_log=False)
