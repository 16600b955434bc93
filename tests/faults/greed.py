"""Peers that take all they can get: clients on addresses of their own, by the thousand."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from tests.faults.slowness import SMALL_BUFFER_BYTES
from tests.support.servers import DEADLINE_S, message

PEERS = ("127.0.0.2", "127.0.0.3")

_MCP = (
    "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    "Accept: application/json, text/event-stream\r\n"
)


def post(body: dict[str, object], **headers: str) -> bytes:
    """Spell a message to the endpoint."""
    content = json.dumps(body).encode()
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"{_MCP}{lines}Content-Length: {len(content)}\r\n\r\n".encode() + content


def listen(uris: list[str]) -> bytes:
    """Spell a request for a stream."""
    wanted = {"resourceSubscriptions": uris}
    return post(
        message("modern", "subscriptions/listen", notifications=wanted),
        mcp_protocol_version="2026-07-28",
        mcp_method="subscriptions/listen",
    )


def initialize() -> bytes:
    """Spell the beginning of a session."""
    client = {"name": "greedy", "version": "1"}
    sent = message(
        "handshake", "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo=client
    )
    return post(sent)


def half_a_body() -> bytes:
    """Spell a request whose body has only begun."""
    return f"{_MCP}Content-Length: 100000\r\n\r\n ".encode()


def half_a_header() -> bytes:
    """Spell a request whose header has only begun."""
    return b"GET /mcp/resources HTTP/1.1\r\nHost: localhost\r\nX-Half: "


def get(path: str) -> bytes:
    """Spell a read."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


@contextmanager
def greedy(port: int, request: bytes, count: int) -> Iterator[list[socket.socket]]:
    """Hold as many connections of each of `PEERS` as it gets, with one request on each that nobody reads."""
    with ExitStack() as stack:
        held = []
        for _ in range(count):
            for address in PEERS:
                client = stack.enter_context(socket.socket())
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
                client.settimeout(DEADLINE_S)
                # What it is refused is no concern of a test about the others.
                with suppress(OSError):
                    client.bind((address, 0))
                    client.connect(("127.0.0.1", port))
                    client.sendall(request)
                    held.append(client)
        yield held


def converse(port: int, requests: list[bytes], source: str) -> list[bytes]:
    """Send requests over one connection, each after the answer to the one before; return the answers."""
    answers: list[bytes] = []
    with socket.socket() as client:
        client.settimeout(DEADLINE_S)
        client.bind((source, 0))
        client.connect(("127.0.0.1", port))
        reader = client.makefile("rb")
        for request in requests:
            client.sendall(request)
            head = b"".join(iter(reader.readline, b"\r\n"))
            length = next(
                int(line[15:]) for line in head.splitlines() if line.lower().startswith(b"content-length:")
            )
            answers.append(head + b"\r\n" + reader.read(length))
            if b"connection: close" in head.lower():
                break
    return answers


def health_ms(port: int, path: str) -> float:
    """Return what it takes to ask for a server's state over a new connection.

    Raises:
        AssertionError: The answer is not 200.
    """
    began_s = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as client:
        client.sendall(get(path))
        answer = client.recv(64)
    assert answer.startswith(b"HTTP/1.1 200"), answer
    return (time.monotonic() - began_s) * 1000
