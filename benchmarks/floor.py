"""The floor: what the server under Carrel costs when the app does nothing but send ready bytes.

`GET` sends the bytes of a file; `POST` decodes a JSON-RPC request and splices its id into a ready
result. No routing, no checks, no metrics, no log. Run as a program by `benchmarks.bench`.
"""

from __future__ import annotations

import argparse
import multiprocessing
from pathlib import Path
from typing import Any

import msgspec
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from carrel.cli.serving import BACKLOG, HEADER_READ_TIMEOUT_MS, MAX_HEADER_BYTES


class Call(msgspec.Struct):
    """As much of a request as a reply needs."""

    id: msgspec.Raw
    method: str


class Floor:
    """The app.

    Args:
        document: Sent to every `GET`.
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
    multiprocessing.set_start_method("fork")
    # The very settings of `carrel serve`: what is compared is the app, not the server.
    server = Server(
        "floor",
        port=options.port,
        interface=Interfaces.RSGI,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=HEADER_READ_TIMEOUT_MS, max_buffer_size=MAX_HEADER_BYTES
        ),
        websockets=False,
        backlog=BACKLOG,
        log_level=LogLevels.warning,
    )
    server.serve(target_loader=lambda: app.__rsgi__, wrap_loader=False)


if __name__ == "__main__":
    main()
