"""The shared level against a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from carrel.cache.feed import Feed
from carrel.cache.keys import Keys
from carrel.cache.redis_link import RedisLink
from carrel.cache.shared import MAX_BODY_BYTES, SharedLevel, Turn
from carrel.model import Form, Representation, ResourceInfo, Version
from carrel.redis_url import parse_redis_url
from tests.support.redis import RedisServer
from tests.support.waiting import eventually

INFO = ResourceInfo(
    uri="mcp://resources/patterns/python/core",
    canonical_uri="mcp://resources/patterns/python/core",
    path="python/patterns-core.md",
    name="patterns/python/core",
    title="Core",
    description="",
    type="pattern",
    media_type="text/markdown",
    size=4,
    modified_ns=1,
    version=Version("1.4.1.1"),
)
BYTES = Representation(b"text", '"abc"', [("etag", '"abc"')], "0" * 64, [])


@asynccontextmanager
async def level(server: RedisServer, ttl_s: float = 300.0, **options: Any) -> AsyncIterator[SharedLevel]:
    link, keys = RedisLink(parse_redis_url(server.url), **options), Keys("team", "stamp")
    shared = SharedLevel(Feed(link, keys), keys, ttl_s)
    shared.start()
    try:
        await eventually(lambda: shared.is_usable)
        yield shared
    finally:
        await shared.stop()


async def write(shared: SharedLevel, key: str, representation: Representation = BYTES) -> None:
    written = shared.writes
    shared.offer(Turn(key), representation)
    await eventually(lambda: shared.writes > written)


async def test_what_one_process_offers_another_gets(redis_server: RedisServer) -> None:
    async with level(redis_server) as ours, level(redis_server) as theirs:
        key = ours.key(INFO, Form.RAW, "4.1.1")
        assert await theirs.get(key) is None
        await write(ours, key)
        found = await theirs.get(key)
        assert found is not None
        assert (found.body, found.etag, found.digest, found.headers) == (
            BYTES.body,
            BYTES.etag,
            BYTES.digest,
            BYTES.headers,
        )
        assert found.hit_headers == [("etag", '"abc"'), ("x-cache", "hit")]
        assert theirs.lookups == {"miss": 1, "hit": 1}


async def test_the_key_names_library_type_name_version_and_form(redis_server: RedisServer) -> None:
    async with level(redis_server) as shared:
        await write(shared, shared.key(INFO, Form.RAW, "4.1.1"))
    (key,) = redis_server.keys()
    assert key.startswith("carrel:team:resource:pattern:patterns/python/core:4.1.1.0.")
    assert key.endswith(":raw")


async def test_a_value_is_forgotten_after_its_time_to_live(redis_server: RedisServer) -> None:
    async with level(redis_server, ttl_s=120.0) as shared:
        key = shared.key(INFO, Form.RAW, "4.1.1")
        await write(shared, key)
    with redis_server.client() as client:
        assert 0 < client.pttl(key) <= 120_000


@pytest.mark.parametrize("value", [b"x", b"x" * 100, b"carrel\x00\x01" + b"\0" * 80, b"\x80\x04N."])
async def test_a_foreign_value_is_a_miss_that_is_counted(redis_server: RedisServer, value: bytes) -> None:
    async with level(redis_server) as shared:
        key = shared.key(INFO, Form.RAW, "4.1.1")
        with redis_server.client() as client:
            client.set(key, value)
        assert await shared.get(key) is None
        assert shared.lookups["corrupt"] == 1
        assert shared.link.is_up
        await write(shared, key)
        assert await shared.get(key) is not None


async def test_a_value_of_another_kind_is_a_miss_that_is_counted(redis_server: RedisServer) -> None:
    async with level(redis_server) as shared:
        key = shared.key(INFO, Form.RAW, "4.1.1")
        with redis_server.client() as client:
            client.hset(key, "field", "value")
        assert await shared.get(key) is None
        assert shared.lookups == {"corrupt": 1}
        assert shared.link.is_up


async def test_the_value_of_another_key_is_a_miss_that_is_counted(redis_server: RedisServer) -> None:
    async with level(redis_server) as shared:
        key, other = shared.key(INFO, Form.RAW, "4.1.1"), shared.key(INFO, Form.RAW, "5.1.1")
        await write(shared, key)
        with redis_server.client() as client:
            client.copy(key, other)
        assert await shared.get(other) is None
        assert shared.lookups == {"corrupt": 1}


async def test_no_more_of_a_huge_foreign_value_is_read_than_of_ours(redis_server: RedisServer) -> None:
    async with level(redis_server, deadline_s=5.0) as shared:
        key = shared.key(INFO, Form.RAW, "4.1.1")
        with redis_server.client() as client:
            client.setrange(key, 100 * MAX_BODY_BYTES, b"end")
            before = int(client.info("stats")["total_net_output_bytes"])
            assert await shared.get(key) is None
            assert int(client.info("stats")["total_net_output_bytes"]) - before < 2 * MAX_BODY_BYTES


async def test_a_body_that_is_too_long_is_not_offered(redis_server: RedisServer) -> None:
    async with level(redis_server) as shared:
        key = shared.key(INFO, Form.RAW, "4.1.1")
        shared.offer(Turn(key), Representation(b"x" * (MAX_BODY_BYTES + 1), '"a"', [], "0" * 64, []))
        await write(shared, f"{key}2")
    assert redis_server.keys() == [f"{key}2"]


async def test_the_longest_body_comes_back_whole(redis_server: RedisServer) -> None:
    async with level(redis_server, deadline_s=5.0) as shared:
        key = shared.key(INFO, Form.RAW, "4.1.1")
        await write(shared, key, Representation(b"x" * MAX_BODY_BYTES, '"a"', [], "0" * 64, []))
        found = await shared.get(key)
        assert found is not None
        assert len(found.body) == MAX_BODY_BYTES


async def test_what_is_offered_while_redis_is_away_is_not_kept(redis_server: RedisServer) -> None:
    async with level(redis_server) as shared:
        redis_server.kill()
        assert await shared.get("any") is None
        assert not shared.link.is_up
        shared.offer(Turn("any"), BYTES)
        redis_server.start()
        await eventually(lambda: shared.is_usable)
        await write(shared, "later")
    assert redis_server.keys("*") == ["later"]


async def test_a_redis_that_cannot_be_written_to_is_still_read(redis_server: RedisServer) -> None:
    async with level(redis_server) as shared:
        await write(shared, "before")
        with redis_server.client() as client:
            client.config_set("maxmemory", 1)
        shared.offer(Turn("after"), BYTES)
        await eventually(lambda: shared.dropped == 1)
        assert shared.link.errors == {"full": 1}
        assert await shared.get("before") is not None


async def test_a_reader_who_hangs_up_leaves_no_connection_out_of_step(redis_server: RedisServer) -> None:
    async with level(redis_server) as shared:
        for number in range(20):
            await write(shared, f"key-{number}")
        for number in range(200):
            reader = asyncio.create_task(shared.get(f"key-{number % 20}"))
            for _ in range(number % 7):
                await asyncio.sleep(0)
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
        for number in range(20):
            assert await shared.get(f"key-{number}") is not None
        assert shared.lookups["corrupt"] == 0


async def test_a_task_that_is_told_to_stop_in_the_middle_of_a_call_stops(redis_server: RedisServer) -> None:
    async with level(redis_server) as shared:

        async def ask_for_ever() -> None:
            while True:
                await shared.get("any")

        for steps in range(200):
            task = asyncio.create_task(ask_for_ever())
            for _ in range(steps % 40):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task}, timeout=5)
            assert task.cancelled()


async def test_a_level_that_was_stopped_can_be_started_again(redis_server: RedisServer) -> None:
    async with level(redis_server) as shared:
        await write(shared, "key")
        await shared.stop()
        assert not shared.is_usable
        assert await shared.get("key") is None
        with redis_server.client() as client:
            assert len(client.client_list()) == 1
        shared.start()
        await eventually(lambda: shared.is_usable)
        assert await shared.get("key") is not None


def test_the_paths_of_unix_sockets_work_too(tmp_path: Path) -> None:
    assert parse_redis_url(f"unix://{tmp_path}/redis.sock").socket == f"{tmp_path}/redis.sock"
