"""Bytes that no well-behaved client sends, over plain sockets, under both servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.servers.conftest import Start
from tests.support.servers import RawConnection, RawResponse, Server, Unfinished, message, write_library

MIB = 1024 * 1024
PING = json.dumps(message("handshake", "ping")).encode()
CORE = "/mcp/resources/sdlc/core"


def head(line: str, **headers: str | int) -> bytes:
    """Make the head of a request to this machine."""
    lines = [f"{line} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def post_head(**headers: str | int) -> bytes:
    return head("POST /mcp", **{"Content-Type": "application/json"}, **headers)


def ask(server: Server, data: bytes) -> RawResponse:
    """Send bytes over a connection of their own and return the response."""
    with RawConnection(server.port) as connection:
        connection.send(data)
        return connection.receive()


def assert_alive(server: Server) -> None:
    assert ask(server, head("GET /healthz")).json() == {"status": "ok"}


def test_connection_is_kept_for_the_next_request(server: Server) -> None:
    with RawConnection(server.port) as connection:
        for _ in range(20):
            connection.send(head(f"GET {CORE}"))
            assert connection.receive().status == 200
            connection.send(post_head(**{"Content-Length": len(PING)}) + PING)
            assert connection.receive().json()["result"] == {}


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    ids = list(range(10))
    bodies = [json.dumps(message("handshake", "ping", id_)).encode() for id_ in ids]

    with RawConnection(server.port) as connection:
        connection.send(b"".join(post_head(**{"Content-Length": len(body)}) + body for body in bodies))
        assert [connection.receive().json()["id"] for _ in ids] == ids


def test_body_in_chunks_is_put_together(server: Server) -> None:
    chunks = b"".join(b"1\r\n" + PING[at : at + 1] + b"\r\n" for at in range(len(PING)))

    assert (
        ask(server, post_head(**{"Transfer-Encoding": "chunked"}) + chunks + b"0\r\n\r\n").json()["result"]
        == {}
    )


def test_chunked_body_over_the_limit_is_refused(server: Server) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"

    with RawConnection(server.port) as connection:
        connection.send(post_head(**{"Transfer-Encoding": "chunked"}))
        try:
            for _ in range(MIB // 0x10000 + 1):
                connection.send(chunk)
        except ConnectionError:
            pass  # it need not read what it refuses
        assert connection.receive().status == 413
    assert_alive(server)


@pytest.mark.parametrize("length", [MIB + 1, 10**12])
def test_announced_body_over_the_limit_is_refused_unread(server: Server, length: int) -> None:
    answer = ask(server, post_head(**{"Content-Length": length}))
    assert answer.status == 413
    assert answer.headers["connection"] == "close"
    assert_alive(server)


@pytest.mark.parametrize("length", ["-1", "x", "1, 2", "0x10", "", str(10**30)])
def test_length_that_is_no_number_never_reaches_the_app(server: Server, length: str) -> None:
    try:
        status = ask(server, post_head(**{"Content-Length": length}) + PING).status
    except Unfinished:
        status = 400
    assert 400 <= status < 500
    assert_alive(server)


@pytest.mark.parametrize(
    "request_",
    [
        post_head(**{"Content-Length": len(PING) + 100}) + PING,
        post_head(**{"Transfer-Encoding": "chunked"}) + b"%x\r\n" % len(PING) + PING + b"\r\n",
    ],
    ids=["length", "chunked"],
)
def test_body_that_ends_early_harms_nobody(server: Server, request_: bytes) -> None:
    told_before = len(server.stderr)
    with RawConnection(server.port) as connection:
        connection.send(request_)
        connection.hang_up()
        with suppress(Unfinished):  # there is nobody left to tell
            assert connection.receive().status < 500
    assert_alive(server)
    assert "Traceback" not in server.stderr[told_before:]


def test_body_longer_than_announced_is_not_part_of_the_request(server: Server) -> None:
    with RawConnection(server.port) as connection:
        connection.send(post_head(**{"Content-Length": len(PING)}) + PING + b"garbage\r\n\r\n")
        assert connection.receive().json()["result"] == {}
        with suppress(Unfinished):
            assert 400 <= connection.receive().status < 500
    assert_alive(server)


@pytest.fixture(scope="module")
def impatient(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    library = write_library(tmp_path_factory.mktemp("impatient"))
    with start(library, CHOIRBOOK_BODY_TIMEOUT_S="0.2") as server:
        yield server


@pytest.mark.parametrize("framing", [{"Content-Length": 100}, {"Transfer-Encoding": "chunked"}])
def test_body_that_never_comes_is_given_up(impatient: Server, framing: dict[str, str | int]) -> None:
    with RawConnection(impatient.port) as connection:
        connection.send(post_head(**framing))
        response = connection.receive()
    assert response.status == 408
    assert response.json()["status"] == 408
    assert_alive(impatient)


GARBAGE = {
    "blank": b"\r\n\r\n\r\n",
    "noise": bytes(range(256)) * 40,
    "tls": bytes.fromhex("16030100c8010000c40303") + b"\0" * 190,
    "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no version": b"GET /healthz\r\n\r\n",
    "old version": b"GET /healthz HTTP/0.9\r\n\r\n",
    "not a host name": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    "bad header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nx y: z\r\n\r\n",
    "folded header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
    "bytes in a header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nAccept: \xff\xfe\r\n\r\n",
    "bytes in a path": b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "long path": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "long header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
    "many headers": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
    "long method": b"A" * 100_000 + b" / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "odd method": b"$%&! /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "absolute": b"GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "connect": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "upgrade": b"GET /mcp HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    "websocket": b"GET /mcp HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    "both framings": b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bad chunk": b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
}


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in GARBAGE.items()])
def test_garbage_never_ends_a_server_nor_makes_it_fail(server: Server, data: bytes) -> None:
    told_before = len(server.stderr)
    with RawConnection(server.port) as connection:
        try:
            connection.send(data)
            connection.hang_up()
            while True:
                assert connection.receive().status < 500
        except (Unfinished, OSError):
            pass  # hanging up is an answer as well
    assert_alive(server)
    assert "Traceback" not in server.stderr[told_before:]


PATHS = [
    "/mcp/resources/%2e%2e/%2e%2e/etc/passwd",
    "/mcp/resources/..%2f..%2fetc/passwd",
    "/mcp/resources/../../../etc/passwd",
    "/mcp/resources/sdlc%2Fcore%2F..",
    "/mcp/resources/%ff%fe",
    "/mcp/resources/%c0%ae%c0%ae/etc/passwd",
    "/mcp/resources/a%00b",
    "/mcp/resources/a%0d%0ab",
    "/mcp/resources/%",
    "/mcp/resources/%zz",
    "/mcp/resources/%e2%80%ae",
    "/mcp/resources/%ef%bc%8e%ef%bc%8e/etc/passwd",
    "/mcp/resources/a%5cb",
    "/mcp/resources/file:/%2fetc/passwd",
    "/mcp/resources/file://etc/passwd",
    "/mcp/resources/:/x",
    "/mcp/resources/" + "a/" * 4000,
    "/mcp/resources/" + "%61" * 5000,
    "/%2e%2e/%2e%2e/etc/passwd",
    "//evil.example/healthz",
    "/mcp/resources?cursor=%ff%fe",
    "/mcp/resources/sdlc/core?format=%00",
    "/mcp/resources/sdlc/core?" + "a&" * 5000,
]


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
def test_path_that_leads_nowhere_gets_a_problem(server: Server, path: str) -> None:
    with RawConnection(server.port) as connection:
        connection.send(head(f"GET {path}"))
        response = connection.receive()

    assert response.status in {400, 404, 414}
    assert_alive(server)


def test_escapes_of_plain_letters_are_the_letters(server: Server) -> None:
    plain = ask(server, head(f"GET {CORE}"))

    assert ask(server, head("GET /mcp/resources/%73dlc/c%6Fre")).body == plain.body


@pytest.mark.parametrize("path", [".secret", ".git/config", "%2egit/config"])
def test_hidden_files_are_not_served(server: Server, library: Path, path: str) -> None:
    assert (library / path.replace("%2e", ".")).is_file()

    assert ask(server, head(f"GET /mcp/resources/files/{path}")).status == 404
