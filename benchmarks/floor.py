"""Floor: the cost of the server under Choirbook when the app only sends ready bytes.

`GET` sends the bytes of a file; `POST` decodes a JSON-RPC request and inserts its id into a ready
result. No routing, no checks, no metrics, no log; Granian runs as in `choirbook serve`. Run as a program
by `benchmarks.bench`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec

from choirbook.servers.granian import server as granian_server
from choirbook.servers.granian.sockets import listen


class Call(msgspec.Struct):
    """The parts of a request that a reply needs."""

    id: msgspec.Raw
    method: str


class Floor:
    """The app.

    Args:
        document: Sent for every `GET`.
    """

    def __init__(self, document: bytes) -> None:
        self._document = document
        result = {
            "contents": [
                {
                    "uri": "mcp://resources/files/doc.md",
                    "mimeType": "text/markdown",
                    "text": document.decode(),
                }
            ]
        }
        self._result = msgspec.json.encode(result)
        self._decoder = msgspec.json.Decoder(Call)
        self._headers = [("content-type", "text/markdown; charset=utf-8")]
        self._json = [("content-type", "application/json")]

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        if scope.method == "GET":
            protocol.response_bytes(200, self._headers, self._document)
            return
        call = self._decoder.decode(await protocol())
        body = b'{"jsonrpc":"2.0","id":' + bytes(call.id) + b',"result":' + self._result + b"}"
        protocol.response_bytes(200, self._json, body)


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--document", type=Path, required=True)
    options = parser.parse_args()
    app = Floor(options.document.read_bytes())
    granian_server.run(
        granian_server.make_server("floor", listen("127.0.0.1", options.port, 1)), lambda: app.__rsgi__
    )


if __name__ == "__main__":
    main()
