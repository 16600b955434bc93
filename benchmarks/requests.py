"""Requests that all servers are compared with: one document, read in every way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import wrk

DOCUMENT_BYTES = 20_000
MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
URI = "mcp://resources/files/doc.md"
PATH = "/mcp/resources/files/doc.md"
ENDPOINT = "/mcp"

_LINE = "Every rule says when it applies, why, and shows the code that follows it.\n"


class Case(NamedTuple):
    """One kind of request."""

    name: str
    method: str
    path: str
    headers: dict[str, str]
    body: str = ""

    def shot(self, url: str) -> wrk.Shot:
        """Return the request to one server."""
        return wrk.Shot(url + self.path, self.method, self.headers, self.body)


def plant(library: Path) -> Path:
    """Create a library of the one document; return the document."""
    library.mkdir()
    document = library / "doc.md"
    document.write_text("# A document\n\n" + _LINE * (DOCUMENT_BYTES // len(_LINE)), encoding="utf-8")
    return document


def get_raw() -> Case:
    """Request the file itself."""
    return Case("GET raw", "GET", PATH, {"Accept": "text/*"})


def get_json() -> Case:
    """Request the document as JSON."""
    return Case("GET json", "GET", PATH, {})


def read_modern() -> Case:
    """Read by MCP, revision 2026-07-28."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    }
    routing = {"Mcp-Method": "resources/read", "Mcp-Name": URI}
    body = _read_body({"uri": URI, "_meta": meta})
    return Case("resources/read modern", "POST", ENDPOINT, {**_posted(MODERN), **routing}, body)


def read_handshake() -> Case:
    """Read by MCP, revision 2025-11-25, without a session."""
    return Case("resources/read handshake", "POST", ENDPOINT, _posted(HANDSHAKE), _read_body({"uri": URI}))


def call_tool() -> Case:
    """Call a tool for the document, revision 2025-11-25, like a client whose model only calls tools."""
    call = {"name": "read", "arguments": {"uri": URI}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call})
    return Case("tools/call read", "POST", ENDPOINT, _posted(HANDSHAKE), body)


def _posted(revision: str) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": revision,
    }


def _read_body(params: dict[str, Any]) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": params})
