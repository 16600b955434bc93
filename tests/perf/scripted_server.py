"""A server of MCP or HTTP that answers as a test says: real sockets, scripted responses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple


class Asked(NamedTuple):
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    message: dict[str, Any]
    """The JSON-RPC message, empty if there is none."""

    @property
    def rpc(self) -> str:
        """Method of the message."""
        return str(self.message.get("method", ""))


class Answer(NamedTuple):
    """A response to send."""

    status: int = 200
    body: bytes | dict[str, Any] = b""
    """Bytes, or the result of a JSON-RPC reply."""
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed


Script = Callable[[Asked], Answer]


class Scripted(NamedTuple):
    """A running server."""

    url: str
    asked: list[Asked]


def error(code: int, message: str, status: int = 200, data: Any = None) -> Answer:
    """Return a JSON-RPC error."""
    body = {"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message, "data": data}}
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


def hello(**capabilities: Any) -> dict[str, Any]:
    """Return the result of `initialize`."""
    return {
        "protocolVersion": "2025-11-25",
        "capabilities": capabilities,
        "serverInfo": {"name": "scripted", "version": "1"},
    }


@contextmanager
def scripted(script: Script) -> Iterator[Scripted]:
    """Run a server on a port that the system chooses."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Asked(self.command, self.path, headers, json.loads(body) if body else {})
            asked.append(request)
            status, content, more = script(request)
            if isinstance(content, dict):
                reply = {"jsonrpc": "2.0", "id": request.message.get("id"), "result": content}
                content, more = json.dumps(reply).encode(), {"Content-Type": "application/json", **more}
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_DELETE = do_GET  # noqa: N815 - named so by the base class

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named so by the base class
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Scripted(f"http://127.0.0.1:{server.server_address[1]}", asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
