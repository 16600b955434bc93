"""The document served by the official Python SDK's low-level server, the leanest that the SDK can be.

Stateless, JSON answers, under Uvicorn. Run as `serve_sdk_lowlevel.py PORT DOCUMENT`.
"""

import sys
from pathlib import Path
from typing import Any

import mcp_types as types
import uvicorn
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server

URI, MIME_TYPE = "mcp://resources/files/doc.md", "text/markdown"

port, document = int(sys.argv[1]), Path(sys.argv[2])
text = document.read_text(encoding="utf-8")


async def read(_: ServerRequestContext[Any], __: types.ReadResourceRequestParams) -> types.ReadResourceResult:
    """Return the document."""
    return types.ReadResourceResult(
        contents=[types.TextResourceContents(uri=URI, mime_type=MIME_TYPE, text=text)]
    )


server: Server[Any] = Server("peer", on_read_resource=read)
app = server.streamable_http_app(json_response=True, stateless_http=True)
uvicorn.run(app, port=port, log_level="warning", access_log=False)
