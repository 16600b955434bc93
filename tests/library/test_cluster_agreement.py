"""When a change that was told is made, and what exactly is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec

from choirbook.catalog.changeset import Document
from choirbook.library.cluster import (
    HOLD_S,
    JOINED_S,
    LONGEST_RETRY_S,
    MAX_JOINED_S,
    MAX_NAMED,
    MAX_REMEMBERED,
    Cluster,
)
from choirbook.model import Invalidation, SourceEntry, Version
from choirbook.redis.messages import CacheInvalidated, DocumentsChanged, MessageCodec, News
from choirbook.redis.signatures import Signer
from tests.support.apps import Served
from tests.support.redis import RedisServer
from tests.support.sharing import serving_far, shared_of
from tests.support.trees import CORE_URI
from tests.support.waiting import eventually

PATH = "sdlc-core.md"
ALIAS = "mcp://resources/patterns/core"
FEED, CHANNEL = "choirbook:library:feed", "choirbook:library:changes"
numbers = count(1)


class Host:
    """One host, and what is told on the channel."""

    def __init__(self, served: Served, channel: Any) -> None:
        self.served = served
        self.news: list[News] = []
        self._channel = channel
        self._wire = MessageCodec(Signer(), FEED, CHANNEL)

    @property
    def cluster(self) -> Cluster:
        assert self.served.app.cluster is not None
        return self.served.app.cluster

    def listen(self) -> list[News]:
        """Take in what was told since, and return all of it."""
        while (message := self._channel.get_message(timeout=0)) is not None:
            if message["type"] == "message":
                self.news.append(self._wire.read(message["data"]).news)
        return self.news

    async def until_told(self, uri: str) -> list[News]:
        """Return all that was told up to an invalidation that is told now."""
        scope = Invalidation(uri=uri)
        await self.served.app.cache_control.invalidate(scope)
        await eventually(lambda: CacheInvalidated(scope) in self.listen())
        return self.news[: self.news.index(CacheInvalidated(scope))]


@asynccontextmanager
async def host(library: Path, redis: RedisServer, **options: Any) -> AsyncIterator[Host]:
    with redis.client() as client, client.pubsub() as channel:
        async with serving_far(library, redis, **options) as served:
            channel.subscribe(CHANNEL)
            yield Host(served, channel)


def changed(served: Served, path: str = PATH) -> tuple[Mapping[str, Document], str]:
    """Return a file as if it had changed, and the portable version that it has then."""
    document = served.library.catalog.document(path)
    assert document is not None
    portable = f"{next(numbers)}.7.7"
    entry = msgspec.structs.replace(document.entry, version=Version(f"1.{portable}"))
    return {path: msgspec.structs.replace(document, entry=entry)}, portable


async def test_change_that_this_host_tells_is_made_a_little_later_and_told_once(
    library: Path, redis_server: RedisServer
) -> None:
    async with host(library, redis_server) as one:
        told: list[News] = []

        async def agrees() -> bool:
            files, portable = changed(one.served)
            changeset, began_s = one.served.library.catalog.prepare(files), monotonic()
            moments = await one.cluster.agree(changeset)
            told.append(DocumentsChanged({CORE_URI: portable}))
            again = await one.cluster.agree(changeset)
            # On a machine that is busy the moment may have passed already.
            assert again in (moments, {})
            return set(moments) == {PATH} and began_s + HOLD_S <= moments[PATH] <= monotonic() + HOLD_S

        await eventually(agrees)
        assert await one.until_told(CORE_URI) == told


async def test_change_that_another_host_told_is_made_at_its_moment_and_not_told_again(
    library: Path, redis_server: RedisServer
) -> None:
    async with host(library, redis_server) as one:

        async def agrees() -> bool:
            files, portable = changed(one.served)
            began_s = monotonic()
            await one.cluster.on_news(DocumentsChanged({CORE_URI: portable}))
            moments = await one.cluster.agree(one.served.library.catalog.prepare(files))
            return set(moments) == {PATH} and began_s + HOLD_S <= moments[PATH] <= monotonic() + HOLD_S

        await eventually(agrees)
        assert await one.until_told(CORE_URI) == []


async def test_nothing_is_agreed_while_nobody_can_be_told(library: Path, redis_server: RedisServer) -> None:
    async with host(library, redis_server) as one:
        redis_server.kill()
        await eventually(lambda: not shared_of(one.served.library).feed.is_up)
        files, _ = changed(one.served)
        assert await one.cluster.agree(one.served.library.catalog.prepare(files)) == {}


async def test_change_that_was_made_without_agreement_is_told_under_its_canonical_uri_only(
    library: Path, redis_server: RedisServer
) -> None:
    async with host(library, redis_server) as one:
        info = one.served.library.find(ALIAS)
        assert info.canonical_uri != ALIAS
        files, portable = changed(one.served, info.path)
        one.served.library.catalog.apply(files.items())
        assert await one.until_told(CORE_URI) == [DocumentsChanged({info.canonical_uri: portable})]


async def test_document_that_was_told_of_last_is_forgotten_last(
    library: Path, redis_server: RedisServer
) -> None:
    async with host(library, redis_server) as one:
        files, portable = changed(one.served)
        others = [f"mcp://resources/none/{number}" for number in range(MAX_REMEMBERED)]
        await one.cluster.on_news(DocumentsChanged({CORE_URI: "before"}))
        await one.cluster.on_news(DocumentsChanged(dict.fromkeys(others[1:], "1")))
        await one.cluster.on_news(DocumentsChanged({CORE_URI: portable}))
        await one.cluster.on_news(DocumentsChanged({others[0]: "1"}))
        one.served.library.catalog.apply(files.items())
        # Another host told it, so this one does not.
        assert DocumentsChanged({CORE_URI: portable}) not in await one.until_told(CORE_URI)


async def test_large_change_in_steps_is_told_as_one(library: Path, redis_server: RedisServer) -> None:
    async with host(library, redis_server) as one:
        for version in "12":
            entries = [
                SourceEntry(f"many-{number}.md", Version(f"1.{version}.7.7"), 1, 1)
                for number in range(2 * MAX_NAMED + 1)
            ]
            one.served.library.catalog.apply(
                (entry.path, Document(entry, "text/markdown", "Many", "")) for entry in entries
            )
        told = await one.until_told(CORE_URI)
        assert told.count(DocumentsChanged(None)) == 1


async def test_host_that_starts_waits_for_what_the_others_need_to_look_and_no_longer(
    library: Path, redis_server: RedisServer
) -> None:
    async with host(library, redis_server) as one:
        began_s = monotonic()
        await one.cluster.joined(0.0)
        assert JOINED_S <= monotonic() - began_s < MAX_JOINED_S
        began_s = monotonic()
        async with asyncio.timeout(30):
            await one.cluster.joined(3600.0)
        assert monotonic() - began_s >= MAX_JOINED_S + JOINED_S
        assert DocumentsChanged(None) in one.listen()


async def test_message_that_is_refused_for_long_is_tried_again_at_a_steady_pace(
    library: Path, redis_server: RedisServer
) -> None:
    with redis_server.client() as client:
        client.execute_command("ACL", "SETUSER", "mute", "on", ">mute", "~*", "&*", "+@all")
        url = f"redis://mute:mute@127.0.0.1:{redis_server.port}/0"
        async with host(library, redis_server, redis_url=url) as one:
            client.execute_command("ACL", "SETUSER", "mute", "-eval")
            await one.served.app.cache_control.invalidate(Invalidation(uri=CORE_URI))
            denied = shared_of(one.served.library).connection.denied
            await eventually(lambda: denied["EVAL"] >= 12, deadline_s=40 * LONGEST_RETRY_S)
