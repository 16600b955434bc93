"""Batches of revision 2025-03-26: how long their replies may be, and what others get meanwhile."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest

from choirbook.http.exchange import Response
from choirbook.mcp.batches import SMALL_BYTES, BatchReplies
from choirbook.mcp.messages import Batch, Malformed, decode
from choirbook.mcp.operations import OTHER
from choirbook.mcp.protocol import Fault, refuse
from tests.support.apps import Served, serving
from tests.support.mcp import handshake_message, post
from tests.support.trees import plant

MIB = 1024 * 1024
DOCUMENT_BYTES = MIB
URI = "mcp://resources/files/long.txt"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    plant(tmp_path, {"long.txt": "x" * DOCUMENT_BYTES, "short.txt": "short"})
    return tmp_path


def reads(count: int, uri: str = URI) -> list[dict[str, Any]]:
    return [handshake_message("resources/read", number, uri=uri) for number in range(count)]


def refuse_item(item: Malformed) -> Fault:
    return refuse(item, [])


async def carry_out(served: Served, messages: list[dict[str, Any]]) -> Response:
    batch = decode(msgspec.json.encode(messages))
    assert isinstance(batch, Batch)
    return await served.app.dispatcher.carry_out_batch(batch, refuse_item)


async def test_what_is_too_long_together_is_left_out_with_an_error(root: Path) -> None:
    async with serving(root, max_batch_bytes=4 * MIB) as served:
        response = await post(served, [*reads(64)])
        answers = response.json()

    assert response.status_code == 200
    assert len(response.content) <= 4 * MIB + 64 * SMALL_BYTES
    assert [answer["id"] for answer in answers] == list(range(64))
    assert ["result" in answer for answer in answers] == [True] * 3 + [False] * 61
    assert {answer["error"]["code"] for answer in answers[3:]} == {-32600}
    assert "4194304 bytes" in answers[-1]["error"]["message"]


async def test_sixty_four_reads_of_the_longest_document_stay_within_the_default(root: Path) -> None:
    plant(root, {"longest.txt": "x" * (8 * MIB)})
    async with serving(root) as served:
        response = await carry_out(served, reads(64, "mcp://resources/files/longest.txt"))
    assert 8 * MIB < len(response.body) < 17 * MIB


async def test_a_single_reply_may_be_as_long_as_its_document(root: Path) -> None:
    async with serving(root, max_batch_bytes=1000) as served:
        first, second = (await post(served, reads(2))).json()
    assert len(first["result"]["contents"][0]["text"]) == DOCUMENT_BYTES
    assert second["error"]["code"] == -32600


async def test_requests_without_room_are_not_carried_out_and_notifications_need_none(root: Path) -> None:
    messages = [
        *reads(3),
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 9, "result": {}},
        {"jsonrpc": "2.0", "id": 10},
        handshake_message("resources/read", 11, uri="mcp://resources/files/short.txt"),
        handshake_message("invented", 12),
    ]
    async with serving(root, max_batch_bytes=DOCUMENT_BYTES + 2000) as served:
        response = await carry_out(served, messages)
    answers = msgspec.json.decode(response.body)
    assert [answer.get("id") for answer in answers] == [0, 1, 2, 10, 11, 12]
    assert ["left out" in str(each) for each in answers] == [
        False,
        True,
        True,
        False,
        True,
        True,
    ]
    # The document that was read last is told of; what was never read is not.
    assert len(response.reads) == 1
    assert [each.method for each in response.operations if each.error][-1] == OTHER


async def test_others_get_their_turn_between_the_items(root: Path) -> None:
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with serving(root) as served:
        await carry_out(served, reads(1))
        other = asyncio.create_task(take_turns())
        await asyncio.sleep(0)
        began = turns
        await carry_out(served, reads(16))
        assert turns - began >= 15
        other.cancel()


async def test_bodies_are_held_once(root: Path) -> None:
    async with serving(root) as served:
        await carry_out(served, reads(1))
        gc.collect()
        tracemalloc.start()
        try:
            response = await carry_out(served, reads(14))
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert len(response.body) > 14 * MIB
    # The buffer grows by an eighth at a time, and one reply is made while the others are held.
    assert peak_bytes < 1.3 * len(response.body)


def test_exactly_the_budget_fits() -> None:
    replies = BatchReplies(2 * SMALL_BYTES + 5)
    replies.add(b"ab")
    long = b"x" * (2 * SMALL_BYTES + 2)
    assert replies.fits(long)
    replies.add(long)
    assert not replies.fits(b"x" * (SMALL_BYTES + 1))
    assert replies.body() == b"[ab," + long + b"]"


def test_a_short_reply_always_fits() -> None:
    replies = BatchReplies(1)
    replies.add(b"x" * 100)
    assert replies.fits(b"x" * SMALL_BYTES)


def test_no_replies_are_no_body() -> None:
    assert BatchReplies(10).body() == b""
