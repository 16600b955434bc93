"""Clients that take their time, by the hundred: one thread moves a byte of each now and then."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.support.servers import DEADLINE_S

MOVES_EVERY_S = 0.5
SMALL_BUFFER_BYTES = 4096
ESTABLISHED = "01"
"""In proc(5) of `/proc/net/tcp`."""


class Slowness(NamedTuple):
    """How clients are slow."""

    request: bytes
    """Sent at once."""
    drip: Callable[[socket.socket], object]
    """Called for each client every `MOVES_EVERY_S`."""


def slow_headers() -> Slowness:
    """Return clients whose header never ends."""
    return Slowness(
        b"GET /mcp/resources HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", lambda each: each.send(b"x")
    )


def slow_bodies() -> Slowness:
    """Return clients whose body has only begun."""
    head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    accept = "Accept: application/json, text/event-stream\r\n"
    return Slowness(f"{head}{accept}Content-Length: 100000\r\n\r\n".encode(), lambda each: each.send(b" "))


def slow_readers(path: str) -> Slowness:
    """Return clients that ask for what is long, and take a little of it."""
    return Slowness(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(), lambda each: each.recv(64))


def connect(port: int) -> socket.socket:
    """Return a connection whose client's system has room for little."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
    made.settimeout(DEADLINE_S)
    made.connect(("127.0.0.1", port))
    return made


@contextmanager
def slow_clients(port: int, slowness: Slowness, count: int) -> Iterator[list[socket.socket]]:
    """Keep slow clients connected for as long as the context lasts."""
    stop = threading.Event()
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(port)) for _ in range(count)]
        for each in clients:
            each.sendall(slowness.request)
            each.setblocking(False)  # noqa: FBT003 - its only argument

        def move() -> None:
            while not stop.wait(MOVES_EVERY_S):
                for each in clients:
                    try:
                        slowness.drip(each)
                    except OSError:
                        continue  # Nothing to take just now, or the server has given this one up.

        mover = threading.Thread(target=move, name="slow-clients")
        mover.start()
        try:
            yield clients
        finally:
            stop.set()
            mover.join()


def is_held(port: int, client: socket.socket) -> bool:
    """Tell whether the server's end of a connection is established; the client may not know of its end."""
    ends = {f"{port:04X}", f"{client.getsockname()[1]:04X}"}
    for line in Path("/proc/net/tcp").read_text("utf-8").splitlines()[1:]:
        _, local, remote, state, *_ = line.split()
        if state == ESTABLISHED and local.endswith(f":{port:04X}") and {local[-4:], remote[-4:]} == ends:
            return True
    return False
