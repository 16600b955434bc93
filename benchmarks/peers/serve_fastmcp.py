"""The document served by FastMCP: stateless, JSON answers, under Uvicorn.

Run as `serve_fastmcp.py PORT DOCUMENT`.
"""

import sys
from pathlib import Path

import uvicorn
from fastmcp import FastMCP  # type: ignore[import-not-found, unused-ignore]

port, document = int(sys.argv[1]), Path(sys.argv[2])
text = document.read_text(encoding="utf-8")
server = FastMCP("peer")


@server.resource("mcp://resources/files/doc.md", mime_type="text/markdown")  # type: ignore[untyped-decorator, unused-ignore]
def doc() -> str:
    """Return the document."""
    return text


@server.tool  # type: ignore[untyped-decorator, unused-ignore]
def read(uri: str) -> str:
    """Return the document of a URI."""
    return text if uri == "mcp://resources/files/doc.md" else ""


app = server.http_app(path="/mcp", json_response=True, stateless_http=True)
uvicorn.run(app, port=port, log_level="warning", access_log=False)
