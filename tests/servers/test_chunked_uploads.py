"""Memory of a worker after chunked uploads: nothing stays of those answered, refused or aborted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.processes import memory_bytes
from tests.support.servers import (
    RawConnection,
    Server,
    Unfinished,
    message,
    rsgi_command,
    running,
    write_library,
)

MIB = 1024 * 1024
UPLOADS = 60
MAY_REMAIN_BYTES = 16 * MIB
"""Maximum growth after 60 MiB were sent: memory that the allocator keeps for reuse."""

HEAD = (
    b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    library = write_library(tmp_path / "library")
    # Longer than the test: no timeout is to clear up what an answer has left.
    variables = {"CHOIRBOOK_BODY_TIMEOUT_S": "600", "CHOIRBOOK_MAX_BODY_BYTES": str(MIB)}
    with running(rsgi_command(library), tmp_path / "run", variables) as server:
        yield server


def chunked(body: bytes) -> bytes:
    half = len(body) // 2
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:]))


def ping(size: int) -> bytes:
    made = json.dumps(message("handshake", "ping", padding="")).encode()
    return made.replace(b'"padding": ""', b'"padding": "%b"' % (b"x" * (size - len(made))))


def answer(server: Server, body: bytes) -> int:
    with RawConnection(server.port) as connection:
        connection.send(HEAD + chunked(body) + b"0\r\n\r\n")
        return connection.receive().status


def break_off(server: Server, body: bytes) -> None:
    """Hang up in the middle of an upload, and wait until the server has done with it."""
    with RawConnection(server.port) as connection:
        connection.send(HEAD + chunked(body))
        connection.hang_up()
        with suppress(Unfinished):
            connection.receive()


def held_more_than(server: Server, before: int) -> int:
    (worker,) = server.workers()
    return memory_bytes(worker) - before


def test_nothing_remains_of_a_chunked_upload_after_its_response(server: Server) -> None:
    (worker,) = server.workers()
    body = ping(MIB - 1024)
    for _ in range(10):
        assert answer(server, body) == 200
    before = memory_bytes(worker)
    for _ in range(UPLOADS):
        assert answer(server, body) == 200
    assert held_more_than(server, before) < MAY_REMAIN_BYTES


def test_nothing_remains_of_a_chunked_upload_that_was_broken_off(server: Server) -> None:
    (worker,) = server.workers()
    body = ping(MIB - 1024)
    for _ in range(10):
        break_off(server, body)
    before = memory_bytes(worker)
    for _ in range(UPLOADS):
        break_off(server, body)
    assert held_more_than(server, before) < MAY_REMAIN_BYTES
