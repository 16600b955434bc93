"""A resource server made with the official SDK: what Choirbook is compared with.

It reads every document at each request, keeps nothing, and knows Choirbook's rules only as the table that it
is given: for each resource `uri`, `name`, `title`, `description`, `mimeType`, `size`, `lastModified`, `path`.
Run as `python -m tests.support.sdk_server DIR TABLE`.
"""

from __future__ import annotations

import json
import socket
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import mcp_types as types
import uvicorn
from mcp import MCPError
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server

TTL_MS = 1000
"""Choirbook's default."""

_Context = ServerRequestContext[Any]


class Documents:
    """The documents of one directory.

    Args:
        root: The directory.
        table: What is served, in the order of its listing.
    """

    def __init__(self, root: Path, table: list[dict[str, Any]]) -> None:
        self._root = root
        self._by_uri = {row["uri"]: row for row in table}

    async def list(self, _: _Context, __: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
        """Answer `resources/list`."""
        return types.ListResourcesResult(resources=[_listed(row) for row in self._by_uri.values()])

    async def read(self, _: _Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        """Answer `resources/read`."""
        uri = str(params.uri)
        row = self._by_uri.get(uri)
        if row is None:
            # What the SDK's own server on top of the low-level one raises, in both eras.
            raise MCPError(types.INVALID_PARAMS, f"Unknown resource: {uri}", {"uri": uri})
        data = (self._root / row["path"]).read_bytes()
        return types.ReadResourceResult(contents=[_contents(uri, row["mimeType"], data)])


def _listed(row: dict[str, Any]) -> types.Resource:
    return types.Resource(
        uri=row["uri"],
        name=row["name"],
        title=row["title"],
        description=row["description"] or None,
        mime_type=row["mimeType"],
        size=row["size"],
        annotations=types.Annotations(last_modified=row["lastModified"]),
    )


def _contents(
    uri: str, mime_type: str, data: bytes
) -> types.TextResourceContents | types.BlobResourceContents:
    if mime_type.startswith("image/"):
        return types.BlobResourceContents(uri=uri, mime_type=mime_type, blob=b64encode(data).decode())
    return types.TextResourceContents(uri=uri, mime_type=mime_type, text=data.decode("utf-8"))


def main() -> None:
    """Serve on a port that the system chooses, until a signal."""
    documents = Documents(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text("utf-8")))
    hint = CacheHint(ttl_ms=TTL_MS, scope="public")
    server: Server[Any] = Server(
        "choirbook",
        version="0.1.0",
        cache_hints={"resources/list": hint, "resources/read": hint},
        on_list_resources=documents.list,
        on_read_resource=documents.read,
    )
    app = server.streamable_http_app(json_response=True, stateless_http=True)
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main()
