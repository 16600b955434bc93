"""The document on the official Python SDK's `MCPServer`: stateless, JSON answers, under Uvicorn.

Run as `serve_sdk.py PORT DOCUMENT`.
"""

import sys
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server import MCPServer

port, document = int(sys.argv[1]), Path(sys.argv[2])
text = document.read_text(encoding="utf-8")
server: MCPServer[Any] = MCPServer("peer", log_level="WARNING")


@server.resource("mcp://resources/files/doc.md", mime_type="text/markdown")
def doc() -> str:
    """Return the document."""
    return text


app = server.streamable_http_app(json_response=True, stateless_http=True)
uvicorn.run(app, port=port, log_level="warning", access_log=False)
