"""Many requests over one connection, a batch at a time, where a client per request would take minutes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice

from tests.support.servers import RawConnection, message

BATCH = 100


def get(path: str) -> bytes:
    """Spell a GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def mcp_read(uri: str) -> bytes:
    """Spell a read of the handshake era."""
    body = json.dumps(message("handshake", "resources/read", uri=uri))
    lines = [
        "POST /mcp HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", body]).encode()


def ask(port: int, requests: Iterable[bytes]) -> Counter[int]:
    """Send requests, and count the answers by status."""
    statuses: Counter[int] = Counter()
    waiting = iter(requests)
    with RawConnection(port) as connection:
        while batch := list(islice(waiting, BATCH)):
            statuses += _ask_batch(connection, batch)
    return statuses


def _ask_batch(connection: RawConnection, batch: Sequence[bytes]) -> Counter[int]:
    connection.send(b"".join(batch))
    return Counter(connection.receive().status for _ in batch)
