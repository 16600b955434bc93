"""Propagation of changes among workers; here they share a Redis and have no watcher."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from choirbook.catalog.changeset import Document
from choirbook.errors import InvalidParams, ResourceNotFound
from choirbook.library.cluster import MAX_NAMED, MAX_REMEMBERED, MAX_WAITING, TRIES
from choirbook.model import Form, Invalidation, ServedFrom, SourceEntry, Version
from choirbook.redis.messages import DocumentsChanged, FeedState, MessageCodec
from choirbook.redis.signatures import Signer
from tests.support.apps import Served, serving
from tests.support.metering import value
from tests.support.reading import read
from tests.support.redis import RedisServer
from tests.support.sharing import serving_far, shared_of, written
from tests.support.sources import CountingSource
from tests.support.trees import CORE, CORE_URI, replace
from tests.support.waiting import eventually, never

UNSIGNED = Signer()
INVALIDATED_WITHIN_S = 0.25
STALE_AT_MOST_S = 5.0
ALIAS = "mcp://resources/patterns/core"


@asynccontextmanager
async def hosts(library: Path, redis: RedisServer, **options: Any) -> AsyncIterator[tuple[Served, Served]]:
    """Two hosts of one tree, of which nothing but the feed tells the second."""
    async with (
        serving_far(library, redis, **{"watch": True, **options}) as one,
        serving_far(library, redis, **options) as two,
    ):
        await eventually(lambda: one.library.follower.watching)
        yield one, two


async def cached(served: Served, uri: str = CORE_URI) -> None:
    await read(served.library, uri)
    assert (await read(served.library, uri)).served_from is ServedFrom.HIT


async def body(served: Served, uri: str = CORE_URI) -> bytes:
    return (await read(served.library, uri)).representation.body


async def test_an_edit_that_one_watcher_saw_shows_on_a_host_without_a_watcher(
    library: Path, redis_server: RedisServer
) -> None:
    async with hosts(library, redis_server) as (one, two):
        await cached(two)
        replace(library / "sdlc-core.md", "# Edited\n")
        await eventually(lambda: two.library.find(CORE_URI).size == 9, deadline_s=1.0)
        assert await body(two) == await body(one) == b"# Edited\n"


async def test_new_and_deleted_documents_show_there_too(library: Path, redis_server: RedisServer) -> None:
    async with hosts(library, redis_server) as (_, two):
        replace(library / "new.md", "# New\n")
        await eventually(lambda: two.library.catalog.find("mcp://resources/files/new.md"))
        (library / "new.md").unlink()
        await eventually(lambda: not two.library.catalog.find("mcp://resources/files/new.md"))


async def test_many_edits_at_once_are_told_as_one(library: Path, redis_server: RedisServer) -> None:
    async with hosts(library, redis_server) as (_, two):
        for number in range(300):
            (library / f"many-{number}.md").write_text("# One of many\n")
        await eventually(lambda: len(two.library.catalog) == 305)


async def test_an_edit_is_told_once_and_not_back(library: Path, redis_server: RedisServer) -> None:
    async with hosts(library, redis_server) as (one, two):
        begun = _state(redis_server).number
        replace(library / "sdlc-core.md", "# Edited\n")
        await eventually(lambda: two.library.find(CORE_URI).size == one.library.find(CORE_URI).size == 9)
        before = _state(redis_server).number
        await never(lambda: _state(redis_server).number != before, for_s=0.3)
        assert before == begun + 1


FEED, CHANNEL = "choirbook:library:feed", "choirbook:library:changes"


def _state(redis: RedisServer, signer: Signer = UNSIGNED) -> FeedState:
    with redis.client() as client:
        return MessageCodec(signer, FEED, CHANNEL).read_state(client.get(FEED))


@pytest.mark.parametrize(
    "scope",
    [Invalidation(uri=CORE_URI), Invalidation(type="sdlc"), Invalidation()],
    ids=["uri", "type", "all"],
)
async def test_an_invalidation_reaches_the_other_host_in_time(
    library: Path, redis_server: RedisServer, scope: Invalidation
) -> None:
    ours, theirs = CountingSource(library, is_near=False), CountingSource(library, is_near=False)
    async with (
        serving_far(library, redis_server, source=ours) as one,
        serving_far(library, redis_server, source=theirs) as two,
    ):
        for served in (one, two):
            await cached(served)
        await written(one.library, 1)
        before = ours.reads + theirs.reads
        assert (await one.app.cache_control.invalidate(scope)).forgotten == 1
        start_s = time.monotonic()
        await eventually(lambda: _is_forgotten(two), deadline_s=INVALIDATED_WITHIN_S)
        assert time.monotonic() - start_s <= INVALIDATED_WITHIN_S
        await asyncio.gather(read(one.library), read(two.library))
        assert ours.reads + theirs.reads > before, "the shared value was forgotten too"


def _is_forgotten(served: Served) -> bool:
    info = served.library.find(CORE_URI)
    return served.library.memory.get(info, Form.RAW, time.monotonic()) is None


async def test_an_invalidation_leaves_the_rest_alone(library: Path, redis_server: RedisServer) -> None:
    async with hosts(library, redis_server) as (one, two):
        other = "mcp://resources/patterns/go/core"
        for served in (one, two):
            await cached(served)
            await cached(served, other)
        await one.app.cache_control.invalidate(Invalidation(type="sdlc"))
        await eventually(lambda: _is_forgotten(two))
        for served in (one, two):
            assert (await read(served.library, other)).served_from is ServedFrom.HIT


async def test_an_invalidation_is_of_all_spellings_and_forms(
    library: Path, redis_server: RedisServer
) -> None:
    async with serving_far(library, redis_server) as served:
        canonical = served.library.find(ALIAS).canonical_uri
        for uri in (ALIAS, canonical):
            await cached(served, uri)
            await read(served.library, uri, Form.JSON)
        await written(served.library, 4)
        assert (await served.app.cache_control.invalidate(Invalidation(uri=ALIAS))).forgotten == 2
        await eventually(lambda: not redis_server.keys("*:resource:*"))
        for uri in (ALIAS, canonical):
            assert (await read(served.library, uri, Form.JSON)).served_from is ServedFrom.MISS


async def test_content_that_changed_behind_an_unchanged_version_is_not_revalidated_after_an_invalidation(
    library: Path, redis_server: RedisServer
) -> None:
    async with serving_far(library, redis_server) as served:
        await cached(served)
        info = served.library.find(CORE_URI)
        assert served.library.etag(info, Form.RAW) is not None
        await served.app.cache_control.invalidate(Invalidation())
        assert served.library.etag(info, Form.RAW) is None


@pytest.mark.parametrize(
    ("scope", "error"),
    [
        (Invalidation(uri="mcp://resources/sdlc/none"), ResourceNotFound),
        (Invalidation(type="none"), InvalidParams),
    ],
)
async def test_what_names_nothing_cannot_be_invalidated(
    served: Served, scope: Invalidation, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await served.app.cache_control.invalidate(scope)


async def test_an_invalidation_while_redis_is_away_arrives_once_it_is_back(
    library: Path, redis_server: RedisServer
) -> None:
    async with hosts(library, redis_server) as (one, two):
        redis_server.kill()
        await eventually(lambda: not (shared_of(one.library).feed.is_up or shared_of(two.library).feed.is_up))
        before = shared_of(two.library).feed.epoch("sdlc")
        await one.app.cache_control.invalidate(Invalidation(type="sdlc"))
        redis_server.start()
        await eventually(lambda: shared_of(two.library).feed.epoch("sdlc") > before)
        assert _state(redis_server).epochs["sdlc"] == shared_of(one.library).feed.epoch("sdlc")


async def test_a_lost_message_is_noticed_and_made_good(library: Path, redis_server: RedisServer) -> None:
    async with serving_far(library, redis_server) as served:
        await cached(served)
        replace(library / "sdlc-core.md", "# Edited\n")
        state = _state(redis_server)
        further = FeedState(state.number + 1, state.announced_s, state.epochs)
        with redis_server.client() as client:
            client.set(FEED, MessageCodec(UNSIGNED, FEED, CHANNEL).write_state(further))
        await eventually(lambda: served.library.find(CORE_URI).size == 9, deadline_s=STALE_AT_MOST_S)
        assert await body(served) == b"# Edited\n"
        assert value(await served.metrics(), "choirbook_feed_losses_total") == 1


async def test_an_edit_while_the_feed_was_cut_shows(library: Path, redis_server: RedisServer) -> None:
    async with hosts(library, redis_server) as (one, two):
        for number in range(5):
            text = f"# Edition {number}\n"
            with redis_server.client() as client:
                client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            replace(library / "sdlc-core.md", text)
            for served in (one, two):
                await _shows(served, text)


async def _shows(served: Served, text: str) -> None:
    async def shows() -> bool:
        return await body(served) == text.encode()

    await eventually(shows, deadline_s=STALE_AT_MOST_S)


async def test_while_the_feed_is_down_hits_are_compared_with_the_source(
    library: Path, redis_server: RedisServer
) -> None:
    source = CountingSource(library, is_near=False)
    async with serving_far(library, redis_server, source=source) as served:
        await cached(served)
        assert served.library.etag(served.library.find(CORE_URI), Form.RAW) is not None
        redis_server.kill()
        await eventually(lambda: not shared_of(served.library).feed.is_up)
        assert value(await served.metrics(), "choirbook_feed_up") == 0
        assert served.library.etag(served.library.find(CORE_URI), Form.RAW) is None
        before, start_s = source.reads, time.monotonic()
        await eventually(lambda: _reads_again(served, source, before), deadline_s=STALE_AT_MOST_S)
        assert time.monotonic() - start_s <= STALE_AT_MOST_S
        redis_server.start()
        await eventually(lambda: shared_of(served.library).feed.is_up)


async def _reads_again(served: Served, source: CountingSource, before: int) -> bool:
    assert (await body(served)) == CORE.encode()
    return source.reads > before


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"hello",
        b"7",
        b"7 {}",
        b"-1 {}",
        b"7 \xff",
        b'x {"sender":"a","news":{"type":"edit","documents":null}}',
        b'7 {"sender":"a","news":{"type":"edit","documents":{"a":1}}}',
        b'7 {"sender":"a","news":{"type":"shutdown"}}',
        b"7 " + b"x" * 100_000,
    ],
)
async def test_a_hostile_message_is_counted_and_passed_over(
    library: Path, redis_server: RedisServer, message: bytes
) -> None:
    async with hosts(library, redis_server) as (_, two):
        with redis_server.client() as client:
            client.publish(CHANNEL, message)
        await eventually(lambda: shared_of(two.library).feed.rejections.counts == {"message": 1})
        replace(library / "sdlc-core.md", "# Edited\n")
        await eventually(lambda: two.library.find(CORE_URI).size == 9)
        assert shared_of(two.library).feed.is_up


@pytest.mark.parametrize("kind", ["bytes", "hash", "long"])
async def test_a_state_of_the_feed_that_is_not_one_is_replaced(
    library: Path, redis_server: RedisServer, kind: str
) -> None:
    async with hosts(library, redis_server) as (_, two):
        state = _state(redis_server)
        with redis_server.client() as client:
            client.delete(FEED)
            if kind == "hash":
                client.hset(FEED, "generation", "7")
            else:
                client.set(FEED, b"many" * (1 if kind == "bytes" else 100_000))
            assert await body(two) == CORE.encode()
            await eventually(lambda: client.type(FEED) == b"string" and 50 < client.strlen(FEED) < 1000)
        assert _state(redis_server) == state
        await eventually(lambda: shared_of(two.library).is_usable)
        assert shared_of(two.library).feed.losses == 0


async def test_a_redis_that_was_emptied_gets_the_state_back_that_workers_know(
    library: Path, redis_server: RedisServer
) -> None:
    async with hosts(library, redis_server) as (one, two):
        feed = shared_of(two.library).feed
        before = feed.epoch("sdlc")
        await one.app.cache_control.invalidate(Invalidation())
        epoch = await eventually(lambda: feed.epoch("sdlc") > before and feed.epoch("sdlc"))
        with redis_server.client() as client:
            client.flushall()
            await eventually(lambda: client.exists(FEED))
        assert feed.epoch("sdlc") == epoch == _state(redis_server).number
        await one.app.cache_control.invalidate(Invalidation())
        await eventually(lambda: feed.epoch("sdlc") == epoch + 1)
        assert (feed.losses, await body(two)) == (0, CORE.encode())


async def test_reader_of_two_hosts_never_goes_back(library: Path, redis_server: RedisServer) -> None:
    async with hosts(library, redis_server) as (one, two):
        seen: list[int] = []
        for version in range(1, 11):
            replace(library / "sdlc-core.md", str(version).zfill(version))
            while version not in seen:
                for host in (one, two):
                    # A hit is answered without a wait, and others are to have their turn.
                    await asyncio.sleep(0)
                    content = await body(host)
                    seen.append(int(content) if content.isdigit() else 0)
    assert seen == sorted(seen)


async def test_host_that_starts_hears_the_others_before_it_serves(
    library: Path, redis_server: RedisServer
) -> None:
    async with serving(library, redis_url=redis_server.url, shared_reads="always") as starting:
        await starting.library.wait_ready()
        assert shared_of(starting.library).feed.is_up


async def test_change_shows_though_nobody_can_be_told(library: Path, redis_server: RedisServer) -> None:
    async with hosts(library, redis_server) as (one, _):
        await cached(one)
        redis_server.freeze()
        try:
            replace(library / "sdlc-core.md", "# Edited\n")
            await eventually(lambda: one.library.find(CORE_URI).size == 9, deadline_s=STALE_AT_MOST_S)
        finally:
            redis_server.thaw()


async def test_what_a_host_knows_that_starts_shows_on_the_others_when_it_serves(
    library: Path, redis_server: RedisServer
) -> None:
    # Nobody watches: without being told, the one that runs would find it by its next scan only.
    async with serving_far(library, redis_server, rescan_s=60) as running:
        await cached(running)
        replace(library / "sdlc-core.md", "# Edited\n")
        async with serving(library, redis_url=redis_server.url, shared_reads="always") as starting:
            await starting.library.wait_ready()
            assert await body(starting) == await body(running) == b"# Edited\n"
            assert shared_of(running.library).feed.losses == shared_of(starting.library).feed.losses == 0


async def test_change_whose_announcement_failed_three_times_still_reaches_the_other_host(
    library: Path, redis_server: RedisServer
) -> None:
    with redis_server.client() as client:
        client.execute_command("ACL", "SETUSER", "mute", "on", ">mute", "~*", "&*", "+@all")
        url = f"redis://mute:mute@127.0.0.1:{redis_server.port}/0"
        # Nobody but the first sees the change, and nothing but a message tells the second.
        async with (
            serving_far(library, redis_server, redis_url=url, watch=True) as one,
            serving_far(library, redis_server) as two,
        ):
            await eventually(lambda: one.library.follower.watching)
            client.execute_command("ACL", "SETUSER", "mute", "-eval")
            replace(library / "sdlc-core.md", "# Edited\n")
            await eventually(lambda: one.library.find(CORE_URI).size == 9)
            assert shared_of(one.library).connection.denied["EVAL"] >= TRIES
            assert two.library.find(CORE_URI).size == len(CORE)
            client.execute_command("ACL", "SETUSER", "mute", "+eval")
            await eventually(lambda: two.library.find(CORE_URI).size == 9)
            assert shared_of(two.library).feed.losses == 0


async def test_queue_that_overflows_keeps_that_everything_was_invalidated(
    library: Path, redis_server: RedisServer
) -> None:
    other = "mcp://resources/patterns/go/core"
    with redis_server.client() as client:
        client.execute_command("ACL", "SETUSER", "mute", "on", ">mute", "~*", "&*", "+@all")
        url = f"redis://mute:mute@127.0.0.1:{redis_server.port}/0"
        async with (
            serving_far(library, redis_server, redis_url=url) as one,
            serving_far(library, redis_server) as two,
        ):
            await cached(two, other)
            before = shared_of(two.library).feed.epoch("pattern")
            client.execute_command("ACL", "SETUSER", "mute", "-eval")
            await one.app.cache_control.invalidate(Invalidation(type="sdlc"))
            for _ in range(MAX_WAITING + 20):
                await one.app.cache_control.invalidate(Invalidation(uri=CORE_URI))
            client.execute_command("ACL", "SETUSER", "mute", "+eval")
            # Of what does not fit it is forgotten what it was, but not that it was an invalidation.
            await eventually(lambda: shared_of(two.library).feed.epoch("pattern") > before)
            info = two.library.find(other)
            await eventually(lambda: two.library.memory.get(info, Form.RAW, time.monotonic()) is None)
            assert shared_of(two.library).feed.losses == 0


async def test_epoch_never_goes_back_while_the_state_is_looked_at(
    library: Path, redis_server: RedisServer
) -> None:
    async with hosts(library, redis_server) as (one, two):
        feed, seen = shared_of(two.library).feed, [0]
        with redis_server.client() as client:
            old = client.get(FEED)
            for _ in range(10):
                await one.app.cache_control.invalidate(Invalidation(type="sdlc"))

                def grows() -> bool:
                    # What a look at the state finds that was begun before the message came.
                    client.set(FEED, old)
                    seen.append(feed.epoch("sdlc"))
                    return seen[-1] > seen[-2]

                await eventually(grows)
            await never(lambda: seen.append(feed.epoch("sdlc")), for_s=1.5)
    assert seen == sorted(seen)
    assert len(set(seen)) >= 10


async def test_changes_that_are_remembered_are_bounded(library: Path, redis_server: RedisServer) -> None:
    async with serving(library, redis_url=redis_server.url, shared_reads="always") as served:
        await eventually(lambda: shared_of(served.library).feed.is_up)
        cluster = served.app.cluster
        assert cluster is not None
        for batch in range(3 * MAX_REMEMBERED // 100):
            await cluster.on_news(
                DocumentsChanged({f"mcp://resources/{batch}/{number}": "1" for number in range(100)})
            )
        assert cluster.remembered == MAX_REMEMBERED


async def test_announced_changes_that_are_never_made_are_bounded(
    library: Path, redis_server: RedisServer
) -> None:
    async with serving_far(library, redis_server) as served:
        await eventually(lambda: shared_of(served.library).feed.is_up)
        cluster = served.app.cluster
        assert cluster is not None
        for batch in range(3 * MAX_REMEMBERED // MAX_NAMED):
            # Nobody commits the draft: as when each file is gone again before its change is due.
            changeset = served.library.catalog.prepare(
                {name: _document(name) for name in (f"new-{batch}-{n}.md" for n in range(MAX_NAMED))}
            )
            await cluster.agree(changeset)
        assert cluster.remembered == MAX_REMEMBERED


def _document(path: str) -> Document:
    return Document(SourceEntry(path, Version("1"), size=1, modified_ns=1), "text/markdown", "New", "")
