"""The verifying load sees what is wrong: a server that lies, breaks off or forgets is found out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count

import pytest

from tests.faults.documents import Torn, compose, verify
from tests.faults.judging import FORMS, RAW
from tests.faults.load import Client, Plan, Sighting, Summary

NAME = "ash"
Respond = Callable[[int, str], bytes]
"""Makes an answer of the number of a request and its first line; none for a connection that just ends."""


def answer(body: bytes, tag: str = '"a"', status: str = "200 OK", promised: int | None = None) -> bytes:
    size = len(body) if promised is None else promised
    return f"HTTP/1.1 {status}\r\nETag: {tag}\r\nContent-Length: {size}\r\n\r\n".encode() + body


@asynccontextmanager
async def server(respond: Respond) -> AsyncIterator[int]:
    numbers = count()
    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                said = respond(next(numbers), head)
                writer.write(said)
                if not said or said.endswith(b"..."):
                    break
        except asyncio.IncompleteReadError:
            pass
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield listener.sockets[0].getsockname()[1]
    await asyncio.gather(*filter(None, serving))


async def load(respond: Respond, requests: int = 12, **options: object) -> Summary:
    """Load a server that answers as it likes, one connection and one form unless told otherwise."""
    stop = asyncio.Event()

    def counting(number: int, head: str) -> bytes:
        if number + 1 >= requests:
            stop.set()
        return respond(number, head)

    async with server(counting) as port:
        plan = {"rate_per_s": 200.0, "forms": (RAW,), "connections": 1, "timeout_s": 5.0, **options}
        return await Client(Plan(port=port, names=[NAME], **plan)).run(stop)  # type: ignore[arg-type]


async def test_good_answers_are_no_failures() -> None:
    summary = await load(lambda *_: answer(compose(NAME, 3)))

    assert summary.failures == {}
    assert summary.requests >= 12
    assert set(summary.sightings[NAME]) == {3}
    assert 0 < summary.latency_ms["p50"] <= summary.latency_ms["max"]


WRONG: dict[str, tuple[str, Respond]] = {
    "half a document": ("torn", lambda *_: answer(compose(NAME, 1)[:900])),
    "nothing": ("torn", lambda *_: answer(b"")),
    "text of another version": ("torn", lambda *_: answer(compose(NAME, 1)[:900] + compose(NAME, 8)[900:])),
    "another document": ("torn", lambda *_: answer(compose("birch", 1))),
    "an older version": ("went back", lambda n, _: answer(compose(NAME, 20 - n), f'"{n}"')),
    "two versions of one tag": ("tag", lambda n, _: answer(compose(NAME, 1 + n))),
    "two tags of one version": ("tag", lambda n, _: answer(compose(NAME, 1), f'"{n}"')),
    "unchanged, of another tag": (
        "tag",
        lambda _, head: (
            answer(b"", '"b"', "304 Not Modified") if "if-none-match" in head else answer(compose(NAME, 1))
        ),
    ),
    "an error": ("status 503", lambda *_: answer(b"later", status="503 Service Unavailable")),
    "a broken connection": ("lost", lambda *_: b""),
    "an answer that breaks off": ("cut", lambda *_: answer(b"...", promised=4000)),
}


@pytest.mark.parametrize("what", WRONG)
async def test_wrong_answer_is_found_out(what: str) -> None:
    kind, respond = WRONG[what]
    summary = await load(respond)

    assert summary.failures[kind] == summary.count()
    assert len(summary.examples[kind]) == min(3, summary.count())


async def test_request_over_a_connection_that_ended_is_sent_again_once() -> None:
    summary = await load(lambda n, _: b"" if n % 2 else answer(compose(NAME, 1)), resend=True)

    # Each new connection answers once, ends at the next request, which is then the first of another.
    assert summary.failures == {}
    assert summary.resent == summary.requests - 1


async def test_answer_that_does_not_come_is_late() -> None:
    summary = await load(lambda *_: b"HTTP/1.1 200 OK\r\n", requests=2, timeout_s=0.2)

    assert summary.failures == {"late": summary.requests}


async def test_server_that_is_not_there_refuses() -> None:
    async with server(lambda *_: b"") as port:
        pass
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, stop.set)
    summary = await Client(Plan(port=port, names=[NAME], fresh=True)).run(stop)

    assert summary.failures == {"refused": summary.requests}


async def test_each_form_is_asked_for_and_verified() -> None:
    asked = set()

    def respond(_: int, head: str) -> bytes:
        form = next(name for name in ("format=raw", "mcp-name", "POST", "GET") if name in head)
        asked.add(form)
        text = compose(NAME, 2).decode()
        item = {"text": text, "_meta": {"dev.choirbook/etag": '"m"'}}
        value = {"content": text} if form == "GET" else {"result": {"contents": [item]}}
        return answer(text.encode() if form == "format=raw" else json.dumps(value).encode())

    # The body of a POST is no request of its own: the server above reads heads only, so each is the last.
    summary = await load(respond, forms=FORMS, fresh=True)

    assert asked == {"format=raw", "mcp-name", "POST", "GET"}
    assert summary.failures == {}


def test_staleness_is_counted_from_when_the_writer_was_done() -> None:
    summary = Summary(
        requests=3,
        failures={},
        examples={},
        failed=[],
        latency_ms={},
        sightings={NAME: {1: Sighting(9.0, 10.25), 2: Sighting(10.1, 11.0), 3: Sighting(12.0, 12.0)}},
        windows={},
        served={},
        connections=1,
        resent=0,
    )

    assert summary.staleness_ms({NAME: {2: 10.0, 3: 11.5}}) == [250.0, 0.0]


@pytest.mark.parametrize("version", [1, 6, 7, 123456])
def test_document_proves_itself(version: int) -> None:
    assert verify(compose(NAME, version), NAME) == version


def test_every_other_byte_is_noticed() -> None:
    whole = compose(NAME, 5)
    for at in range(0, len(whole), 7):
        changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        try:
            assert verify(changed, NAME) != 5, f"byte {at}"
        except Torn:
            continue
