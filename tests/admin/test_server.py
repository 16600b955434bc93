"""The admin surface over a real socket, in this process, and clients that are not as they should be."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import pytest

from choirbook.admin import server as plain
from choirbook.admin.api import AdminApi
from choirbook.admin.responses import ReadCounts
from choirbook.admin.socket import BACKLOG
from tests.support.admin import INVALIDATE, STATS, TOKEN, WARM
from tests.support.apps import Served, serving
from tests.support.servers import write_library

AUTHORISED = f"Authorization: Bearer {TOKEN}\r\n"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library of this module: nothing here depends on the kind of the public server."""
    return write_library(tmp_path / "library")


@pytest.fixture
async def port(library: Path) -> AsyncIterator[int]:
    """An admin surface that wants a token."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0)
    port: int = listener.getsockname()[1]
    async with serving(library, admin=listener, admin_token=TOKEN):
        yield port


async def say(port: int, data: bytes, *, closes: bool = False) -> tuple[int, bytes]:
    """Send bytes, and return the status and all of the response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    if closes:
        writer.write_eof()
    response = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return int(response.split()[1]) if response else 0, response


def request(path: str, body: bytes = b"", headers: str = AUTHORISED, method: str = "POST") -> bytes:
    length = f"Content-Length: {len(body)}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{length}{headers}\r\n".encode() + body


@pytest.mark.parametrize(
    ("status", "data"),
    [
        (200, request(STATS)),
        (200, request(INVALIDATE, b'{"all":true}')),
        (200, request(WARM, b"{}", AUTHORISED + "Content-Type: application/json; charset=utf-8\r\n")),
        (200, request(STATS, headers=AUTHORISED.replace("Bearer", "bearer"))),
        (400, request(INVALIDATE, b"{")),
        (400, request(INVALIDATE, b"{}")),
        (400, request(INVALIDATE, b'{"type":"none"}')),
        (400, request(INVALIDATE, b'{"uri":"no uri"}')),
        (404, request(INVALIDATE, b'{"uri":"mcp://resources/none"}')),
        (400, request(STATS, b'{"more":1}')),
        (400, request(WARM, b'{"waitSeconds":1e9}')),
        (401, request(STATS, headers="")),
        (401, request(STATS, headers=AUTHORISED + AUTHORISED)),
        (401, request(STATS, headers="Authorization: Bearer\r\n")),
        (401, request(STATS, headers=AUTHORISED.replace("Bearer", "Basic"))),
        (401, request(STATS, headers=f"Authorization: Bearer {TOKEN}x\r\n")),
        (401, request(STATS, headers=f"Authorization: Bearer {TOKEN[:-1]}\r\n")),
        (401, request(STATS, headers="Authorization: Bearer \xe9\r\n")),
        (401, request("/none", headers="")),
        (404, request("/none")),
        (404, request("/mcp/resources")),
        (404, request(STATS + "/")),
        (405, request(STATS, method="GET")),
        (405, request(STATS, method="HEAD")),
        (405, request(STATS, method="DELETE")),
        (413, request(INVALIDATE, b"x" * (plain.MAX_BODY_BYTES + 1))),
        (413, request(INVALIDATE, b"x" * 3_000_000)),
        (413, request(STATS, headers=AUTHORISED).replace(b"Length: 0", b"Length: 99999999999999999999")),
        (415, request(STATS, b"x", AUTHORISED + "Content-Type: text/plain\r\n")),
        (400, b"GARBAGE\r\n\r\n"),
        (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)),
        (400, request(STATS).replace(b"Length: 0", b"Length: x")),
        (400, b"POST / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * (2 * plain.MAX_HEAD_BYTES) + b"\r\n\r\n"),
        (400, request(STATS).replace(b"Host: x\r\n", b"")),
    ],
)
async def test_each_request_is_answered_as_it_deserves(port: int, status: int, data: bytes) -> None:
    told, response = await say(port, data)
    assert told == status, response
    if status >= 400 and not data.startswith(b"HEAD"):
        head, _, body = response.partition(b"\r\n\r\n")
        assert b"application/problem+json" in head
        assert b'"detail":"' in body
        assert TOKEN.encode() not in response


async def test_a_refusal_says_how_to_do_it_right(port: int) -> None:
    _, missing = await say(port, request(STATS, headers=""))
    assert b'www-authenticate: Bearer realm="choirbook admin"' in missing
    assert b"CHOIRBOOK_ADMIN_TOKEN" in missing
    _, got = await say(port, request(STATS, method="GET"))
    assert b"allow: POST" in got


async def test_a_body_in_chunks_is_bounded_too(port: int) -> None:
    head = f"POST {INVALIDATE} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{AUTHORISED}\r\n".encode()
    assert (await say(port, head + b'c\r\n{"all":true}\r\n0\r\n\r\n'))[0] == 200
    chunk = b"1000\r\n" + b" " * 0x1000 + b"\r\n"
    assert (await say(port, head + 5 * chunk))[0] == 413


async def test_who_waits_for_leave_to_send_gets_it_after_the_token_was_looked_at(port: int) -> None:
    expecting = "Expect: 100-continue\r\n"
    body = b'{"all":true}'
    allowed = request(INVALIDATE, body, AUTHORISED + expecting)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(allowed.removesuffix(body))
    assert (await reader.readline()).startswith(b"HTTP/1.1 100")
    writer.write(body)
    assert b"HTTP/1.1 200" in await reader.read()
    writer.close()
    refused = request(INVALIDATE, body, expecting).removesuffix(body)
    assert (await say(port, refused))[0] == 401


async def test_a_client_that_hangs_up_in_the_middle_harms_nobody(port: int) -> None:
    whole = request(INVALIDATE, b'{"all":true}')
    for end in (0, 1, 20, len(whole) - 1):
        assert (await say(port, whole[:end], closes=True))[0] in {0, 400}
    assert (await say(port, request(STATS)))[0] == 200


async def test_a_request_that_does_not_arrive_is_given_up(port: int) -> None:
    status, response = await say(port, request(INVALIDATE, b'{"all":true}')[:-1])
    assert status == 408
    assert b"within 5 seconds" in response


IDLE = 200


@pytest.fixture(params=["tcp", "unix"])
async def address(library: Path, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[int | Path]:
    """An admin surface on either kind of socket, with a backlog as `choirbook serve` has it."""
    found: int | Path
    if request.param == "unix":
        listener = socket.socket(socket.AF_UNIX)
        found = tmp_path / "admin"
        listener.bind(str(found))
    else:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        found = listener.getsockname()[1]
    listener.listen(BACKLOG)
    listener.settimeout(0)
    async with serving(library, admin=listener, admin_token=TOKEN):
        yield found


async def connect(address: int | Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if isinstance(address, Path):
        return await asyncio.open_unix_connection(address)
    return await asyncio.open_connection("127.0.0.1", address)


@pytest.mark.parametrize(
    "sent",
    [b"", b"POST /adm", request(STATS)[:-2], request(STATS, headers="")],
    ids=["nothing", "a word", "half a head", "no token"],
)
async def test_connections_without_a_call_delay_no_call(address: int | Path, sent: bytes) -> None:
    idle = []
    for _ in range(IDLE):
        idle.append(await asyncio.wait_for(connect(address), 5))
        idle[-1][1].write(sent)
    begun_s = monotonic()
    reader, writer = await connect(address)
    writer.write(request(STATS))
    assert b"HTTP/1.1 200" in await asyncio.wait_for(reader.read(), 20)
    assert monotonic() - begun_s < 1.0
    for _, each in [*idle, (reader, writer)]:
        each.close()


async def test_stop_does_not_wait_for_connections_without_a_call(served: Served) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0)
    server = plain.AdminServer(listener, AdminApi(served.app.cache_control, nothing_counted, "").begin)
    server.start()
    idle = [await connect(listener.getsockname()[1]) for _ in range(5)]
    for _, writer in idle:
        writer.write(b"POST /adm")
    begun_s = monotonic()
    await server.stop()
    assert monotonic() - begun_s < plain.STOP_S / 2
    for _, writer in idle:
        writer.close()


async def test_a_stop_finishes_the_calls_under_way(served: Served) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0)
    port = listener.getsockname()[1]
    server = plain.AdminServer(listener, AdminApi(served.app.cache_control, nothing_counted, "").begin)
    server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(STATS, b"{}", "Expect: 100-continue\r\n").removesuffix(b"{}"))
    assert (await reader.readline()).startswith(b"HTTP/1.1 100")
    stopping = asyncio.create_task(server.stop())
    writer.write(b"{}")
    assert b"HTTP/1.1 200" in await reader.read()
    writer.close()
    await stopping
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def nothing_counted() -> ReadCounts:
    return ReadCounts(0, 0, 0)
