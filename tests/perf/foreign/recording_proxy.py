"""A proxy that only relays bytes, and says afterwards which sessions were opened and ended through it."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from urllib.parse import urlsplit

_GIVEN = re.compile(rb"\r\nmcp-session-id: *([^\r\n]+)", re.IGNORECASE)
_ENDED = re.compile(rb"DELETE [^\r\n]+(?:\r\n[^\r\n]+)*?\r\nmcp-session-id: *([^\r\n]+)", re.IGNORECASE)
_CHUNK_BYTES = 64 * 1024


class RecordingProxy:
    """A proxy before one server."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._upstream = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self._sockets: list[socket.socket] = []
        self._threads: list[Thread] = []
        self._sent: list[bytearray] = []
        self._received: list[bytearray] = []
        self.url = parts._replace(netloc=f"127.0.0.1:{self._listener.getsockname()[1]}").geturl()

    def opened(self) -> set[str]:
        """Return the ids of sessions that the server named."""
        return {id_.decode() for part in self._received for id_ in _GIVEN.findall(part)}

    def ended(self) -> list[str]:
        """Return the ids of sessions that clients ended, one for each request."""
        return [id_.decode() for part in self._sent for id_ in _ENDED.findall(part)]

    def run(self) -> None:
        """Relay connections until the listener is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._upstream)
                self._sockets += [client, server]
                for one, other, kept in ((client, server, self._sent), (server, client, self._received)):
                    thread = Thread(target=_relay, args=(one, other, _begun(kept)), daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def close(self) -> None:
        """Stop accepting, and close all connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()


def _begun(kept: list[bytearray]) -> bytearray:
    kept.append(bytearray())
    return kept[-1]


def _relay(one: socket.socket, other: socket.socket, kept: bytearray) -> None:
    with suppress(OSError):
        while data := one.recv(_CHUNK_BYTES):
            kept += data
            other.sendall(data)
    for each in (one, other):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@contextmanager
def recorded(url: str) -> Iterator[RecordingProxy]:
    """Run a proxy before a server for as long as the context lasts."""
    proxy = RecordingProxy(url)
    thread = Thread(target=proxy.run)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()
