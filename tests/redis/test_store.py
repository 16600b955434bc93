"""The shared level against a real Redis."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from choirbook.documents.rendering import Stamp, render
from choirbook.model import Content, Form, Representation, ResourceInfo, SourceEntry, Version
from choirbook.redis.codec import RepresentationCodec
from choirbook.redis.connection import RedisConnection
from choirbook.redis.feed import Feed
from choirbook.redis.keys import RedisKeys
from choirbook.redis.signatures import Signer
from choirbook.redis.store import MAX_BODY_BYTES, MAX_QUEUED_BYTES, LoadLease, SharedSlot, SharedStore
from choirbook.redis.url import parse_redis_url
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
STAMP = Stamp(1000, {"name": "choirbook", "version": "0"})
CONTENT = Content(b"text", SourceEntry("python/patterns-core.md", INFO.version, 4, 1))
BYTES = render(INFO, CONTENT, Form.RAW, STAMP)
SECRET = "0123456789abcdef" * 2


def slot(shared: SharedStore, portable: str = "4.1.1", **changes: Any) -> SharedSlot:
    return shared.slot(msgspec.structs.replace(INFO, **changes), Form.RAW, portable)


def long(shared: SharedStore, size: int, portable: str = "4.1.1") -> tuple[SharedSlot, Representation]:
    """Return a slot for a document of a size, and what belongs there."""
    info = msgspec.structs.replace(INFO, size=size)
    content = Content(b"x" * size, CONTENT.entry)
    return slot(shared, portable, size=size), render(info, content, Form.RAW, STAMP)


@asynccontextmanager
async def level(
    server: RedisServer, ttl_s: float = 300.0, secrets: Sequence[str] = (SECRET,), **options: Any
) -> AsyncIterator[SharedStore]:
    link, keys = RedisConnection(parse_redis_url(server.url), **options), RedisKeys("team", "stamp")
    signer = Signer(secrets)
    shared = SharedStore(Feed(link, keys, signer), keys, RepresentationCodec(signer, STAMP), ttl_s)
    shared.start()
    try:
        await eventually(lambda: shared.is_usable)
        yield shared
    finally:
        await shared.stop()


async def write(shared: SharedStore, place: SharedSlot, representation: Representation = BYTES) -> None:
    written = shared.writes
    shared.offer(LoadLease(place.key), representation)
    await eventually(lambda: shared.writes > written)


async def test_what_one_process_offers_another_gets(redis_server: RedisServer) -> None:
    async with level(redis_server) as ours, level(redis_server) as theirs:
        key = slot(ours)
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
        assert found.hit_headers == BYTES.hit_headers
        assert theirs.lookups == {"miss": 1, "hit": 1}


async def test_the_key_names_library_type_name_version_and_form(redis_server: RedisServer) -> None:
    async with level(redis_server) as shared:
        await write(shared, slot(shared))
    (key,) = redis_server.keys("*:resource:*")
    assert key.startswith("choirbook:team:resource:pattern:patterns/python/core:4.1.1.")
    assert key.endswith(":raw")


async def test_a_value_is_forgotten_after_its_time_to_live(redis_server: RedisServer) -> None:
    async with level(redis_server, ttl_s=120.0) as shared:
        key = slot(shared)
        await write(shared, key)
    with redis_server.client() as client:
        assert 0 < client.pttl(key.key) <= 120_000


@pytest.mark.parametrize("value", [b"x", b"x" * 100, b"choirbook\x00\x01" + b"\0" * 80, b"\x80\x04N."])
async def test_a_foreign_value_is_a_miss_that_is_counted(redis_server: RedisServer, value: bytes) -> None:
    async with level(redis_server) as shared:
        key = slot(shared)
        with redis_server.client() as client:
            client.set(key.key, value)
        assert await shared.get(key) is None
        assert shared.lookups["corrupt"] == 1
        assert shared.connection.is_up
        await write(shared, key)
        assert await shared.get(key) is not None


async def test_a_value_of_another_kind_is_a_miss_that_is_counted(redis_server: RedisServer) -> None:
    async with level(redis_server) as shared:
        key = slot(shared)
        with redis_server.client() as client:
            client.hset(key.key, "field", "value")
        assert await shared.get(key) is None
        assert shared.lookups == {"corrupt": 1}
        assert shared.connection.is_up


async def test_the_value_of_another_key_is_a_miss_that_is_counted(redis_server: RedisServer) -> None:
    async with level(redis_server) as shared:
        key, other = slot(shared), slot(shared, "5.1.1")
        await write(shared, key)
        with redis_server.client() as client:
            client.copy(key.key, other.key)
        assert await shared.get(other) is None
        assert shared.lookups == {"corrupt": 1}


async def test_no_more_of_a_huge_foreign_value_is_read_than_of_ours(redis_server: RedisServer) -> None:
    async with level(redis_server, deadline_s=5.0) as shared:
        key = slot(shared)
        with redis_server.client() as client:
            client.setrange(key.key, 100 * MAX_BODY_BYTES, b"end")
            before = int(client.info("stats")["total_net_output_bytes"])
            assert await shared.get(key) is None
            assert int(client.info("stats")["total_net_output_bytes"]) - before < 2 * MAX_BODY_BYTES


async def test_a_body_that_is_too_long_is_not_offered(redis_server: RedisServer) -> None:
    async with level(redis_server) as shared:
        key, body = long(shared, MAX_BODY_BYTES + 1)
        shared.offer(LoadLease(key.key), body)
        other = slot(shared, "5.1.1")
        await write(shared, other)
    assert redis_server.keys("*:resource:*") == [other.key]


async def test_the_longest_body_comes_back_whole(redis_server: RedisServer) -> None:
    async with level(redis_server, deadline_s=5.0) as shared:
        key, body = long(shared, MAX_BODY_BYTES)
        await write(shared, key, body)
        found = await shared.get(key)
        assert found is not None
        assert len(found.body) == MAX_BODY_BYTES


async def test_what_is_offered_while_redis_is_away_is_not_kept(redis_server: RedisServer) -> None:
    async with level(redis_server) as shared:
        redis_server.kill()
        assert await shared.get(slot(shared)) is None
        assert not shared.connection.is_up
        shared.offer(LoadLease("any"), BYTES)
        redis_server.start()
        await eventually(lambda: shared.is_usable)
        later = slot(shared)
        await write(shared, later)
    assert redis_server.keys("*") == ["choirbook:team:feed", later.key]


async def test_a_redis_that_cannot_be_written_to_is_still_read(redis_server: RedisServer) -> None:
    async with level(redis_server) as shared:
        before = slot(shared)
        await write(shared, before)
        with redis_server.client() as client:
            client.config_set("maxmemory", 1)
        shared.offer(LoadLease("after"), BYTES)
        await eventually(lambda: shared.dropped == 1)
        assert shared.connection.errors == {"full": 1}
        assert await shared.get(before) is not None


async def test_a_reader_who_hangs_up_leaves_no_connection_out_of_step(redis_server: RedisServer) -> None:
    async with level(redis_server) as shared:
        slots = [slot(shared, f"4.1.{number}") for number in range(20)]
        for each in slots:
            await write(shared, each)
        for number in range(200):
            reader = asyncio.create_task(shared.get(slots[number % 20]))
            for _ in range(number % 7):
                await asyncio.sleep(0)
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
        for each in slots:
            assert await shared.get(each) is not None
        assert shared.lookups["corrupt"] == 0


async def test_a_task_that_is_told_to_stop_in_the_middle_of_a_call_stops(redis_server: RedisServer) -> None:
    async with level(redis_server) as shared:

        async def ask_for_ever() -> None:
            while True:
                await shared.get(slot(shared))

        for steps in range(200):
            task = asyncio.create_task(ask_for_ever())
            for _ in range(steps % 40):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task}, timeout=5)
            assert task.cancelled()


async def test_a_level_that_was_stopped_can_be_started_again(redis_server: RedisServer) -> None:
    async with level(redis_server) as shared:
        key = slot(shared)
        await write(shared, key)
        await shared.stop()
        assert not shared.is_usable
        assert await shared.get(key) is None
        with redis_server.client() as client:
            assert len(client.client_list()) == 1
        shared.start()
        await eventually(lambda: shared.is_usable)
        assert await shared.get(key) is not None


def test_the_paths_of_unix_sockets_work_too(tmp_path: Path) -> None:
    assert parse_redis_url(f"unix://{tmp_path}/redis.sock").socket == f"{tmp_path}/redis.sock"


COUNT = 40
"""Values of a MiB: more than may wait at once, and than Redis takes at once."""


async def test_bytes_that_were_written_wait_no_longer(redis_server: RedisServer) -> None:
    async with level(redis_server, deadline_s=5.0) as shared:
        for number in range(COUNT):
            place, body = long(shared, MAX_BODY_BYTES, f"4.1.{number}")
            await write(shared, place, body)
        assert (shared.writes, shared.dropped) == (COUNT, 0)


async def test_what_waits_to_be_written_is_bounded(redis_server: RedisServer) -> None:
    async with level(redis_server, deadline_s=5.0) as shared:
        fitting = MAX_QUEUED_BYTES // MAX_BODY_BYTES
        # Nothing is written between the offers, as nobody waits.
        for number in range(COUNT):
            place, body = long(shared, MAX_BODY_BYTES, f"4.1.{number}")
            shared.offer(LoadLease(place.key), body)
        assert shared.dropped == COUNT - fitting
        await eventually(lambda: shared.writes == fitting)
    assert len(redis_server.keys("*:resource:*")) == fitting


async def test_bytes_that_could_not_be_written_wait_no_longer(redis_server: RedisServer) -> None:
    async with level(redis_server, deadline_s=5.0) as shared:
        with redis_server.client() as client:
            client.config_set("maxmemory", 1)
            for number in range(COUNT):
                place, body = long(shared, MAX_BODY_BYTES, f"4.1.{number}")
                shared.offer(LoadLease(place.key), body)
            await eventually(lambda: shared.dropped == COUNT)
            client.config_set("maxmemory", 0)
        for number in range(MAX_QUEUED_BYTES // MAX_BODY_BYTES):
            place, body = long(shared, MAX_BODY_BYTES, f"5.1.{number}")
            shared.offer(LoadLease(place.key), body)
        assert shared.dropped == COUNT
        await eventually(lambda: shared.writes == MAX_QUEUED_BYTES // MAX_BODY_BYTES)


@pytest.mark.parametrize("is_offered", [True, False])
async def test_lease_is_given_back_before_it_expires(redis_server: RedisServer, *, is_offered: bool) -> None:
    async with level(redis_server) as shared:
        place = slot(shared)
        lease = await shared.acquire_lease(place)
        assert isinstance(lease, LoadLease)
        assert lease.token
        if is_offered:
            shared.offer(lease, BYTES)
        else:
            shared.release(lease)
        # It was removed, which an expiry is not: that is no call of a command.
        await eventually(lambda: redis_server.commands().get("unlink") == 1)
        assert redis_server.keys("*:lease:*") == []
        with redis_server.client() as client:
            assert int(client.info("stats")["expired_keys"]) == 0


async def test_lease_of_another_process_is_not_given_back(redis_server: RedisServer) -> None:
    async with level(redis_server) as shared:
        lease = await shared.acquire_lease(slot(shared))
        assert isinstance(lease, LoadLease)
        (key,) = redis_server.keys("*:lease:*")
        with redis_server.client() as client:
            client.set(key, "of another")
            shared.release(lease)
            await eventually(lambda: redis_server.commands().get("eval", 0) >= 2)
            assert client.get(key) == b"of another"


@pytest.mark.parametrize("others", [(), ("fedcba9876543210" * 2,)], ids=["unsigned", "another secret"])
async def test_value_that_is_not_signed_with_the_secret_is_a_miss(
    redis_server: RedisServer, others: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    async with level(redis_server) as ours, level(redis_server, secrets=others) as theirs:
        place = slot(ours)
        await write(theirs, place)
        for _ in range(5):
            assert await ours.get(place) is None
        assert (ours.lookups, ours.feed.rejections.counts["value"]) == ({"corrupt": 5}, 5)
        await write(ours, place)
        assert await ours.get(place) is not None
    lines = [record.getMessage() for record in caplog.records if "a value from Redis" in record.getMessage()]
    assert len(lines) == 1
    assert "another secret" in lines[0]
    assert "CHOIRBOOK_REDIS_SECRET" in lines[0]


async def test_secret_can_be_replaced_host_by_host(redis_server: RedisServer) -> None:
    old, new = SECRET, "fedcba9876543210" * 2
    async with (
        level(redis_server, secrets=(new, old)) as ours,
        level(redis_server, secrets=(old, new)) as theirs,
    ):
        for writer, reader, portable in ((ours, theirs, "4.1.1"), (theirs, ours, "5.1.1")):
            await write(writer, slot(writer, portable))
            assert await reader.get(slot(reader, portable)) is not None
        for each in (ours, theirs):
            assert not each.feed.rejections.counts
