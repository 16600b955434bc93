"""Streams that stay open: listens and dashboards, read by one thread as fast as they come."""

from __future__ import annotations

import json
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from tests.faults.documents import uri_of
from tests.support.servers import DEADLINE_S, message
from tests.support.streams import BOTH

DASHBOARD_REQUEST = b"GET /dashboard/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
_PIECE_BYTES = 256 * 1024
_TURN_S = 0.1


class Streamed(NamedTuple):
    """Messages received over streams."""

    ended: int
    """Streams that the server ended."""
    least_bytes: int
    """Over the stream that was sent least."""


class Streams:
    """Reads what is sent over connections until it is told to stop."""

    def __init__(self, connections: list[socket.socket]) -> None:
        self._received = dict.fromkeys(connections, 0)
        self._ended = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name="streams")
        self._thread.start()

    def finish(self) -> Streamed:
        """Read no more, and tell what came."""
        self._stop.set()
        self._thread.join()
        return Streamed(self._ended, min(self._received.values()))

    def _read(self) -> None:
        with selectors.DefaultSelector() as selector:
            for each in self._received:
                selector.register(each, selectors.EVENT_READ, each)
            while not self._stop.is_set():
                for key, _ in selector.select(_TURN_S):
                    data = key.data.recv(_PIECE_BYTES)
                    self._received[key.data] += len(data)
                    if not data:
                        self._ended += 1
                        selector.unregister(key.data)


def listen_request(uris: list[str]) -> bytes:
    """Return the request that opens a stream of the modern era."""
    wanted = {"resourceSubscriptions": uris, "resourcesListChanged": True}
    body = json.dumps(message("modern", "subscriptions/listen", 1, notifications=wanted)).encode()
    head = [
        "POST /mcp HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Accept: {BOTH}",
        "MCP-Protocol-Version: 2026-07-28",
        "Mcp-Method: subscriptions/listen",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


def open_stream(port: int, request: bytes) -> tuple[socket.socket, int]:
    """Open a stream, and return how long its first event is, with what comes before it."""
    made = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
    made.sendall(request)
    received = bytearray()
    while b"\n\n" not in received[-16:]:
        piece = made.recv(_PIECE_BYTES)
        assert piece, bytes(received)
        received += piece
    assert received.startswith(b"HTTP/1.1 200 "), bytes(received[:200])
    return made, len(received)


@contextmanager
def streaming(port: int, names: list[str], listens: int, dashboards: int) -> Iterator[Streams]:
    """Keep streams open for as long as the context lasts.

    Args:
        port: The server's.
        names: Documents that the streams tell of.
        listens: Streams of notifications.
        dashboards: Streams of the dashboard.
    """
    requests = [listen_request([uri_of(name) for name in names])] * listens + [DASHBOARD_REQUEST] * dashboards
    with ExitStack() as stack:
        streams = Streams([stack.enter_context(open_stream(port, request)[0]) for request in requests])
        try:
            yield streams
        finally:
            streams.finish()
