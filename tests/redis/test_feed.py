"""The feed on a real Redis, with others who write there without the secret, or send again what they saw."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import redis.asyncio as other_redis

from choirbook.model import Invalidation
from choirbook.redis import feed as feeds
from choirbook.redis.connection import RedisConnection
from choirbook.redis.feed import Feed
from choirbook.redis.keys import RedisKeys
from choirbook.redis.messages import (
    CacheInvalidated,
    DocumentsChanged,
    FeedMessage,
    FeedState,
    MessageCodec,
    News,
)
from choirbook.redis.signatures import Signer
from choirbook.redis.url import parse_redis_url
from tests.support.redis import RedisServer
from tests.support.waiting import eventually, never

SECRET, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2
KEYS = RedisKeys("team", "stamp")
EDIT = DocumentsChanged({"mcp://resources/a": "1.2.3"})
ALL = CacheInvalidated(Invalidation())


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.news: list[News] = []
        self.missed_s: list[float] = []

    async def on_news(self, news: News) -> None:
        self.news.append(news)

    async def on_loss(self) -> None:
        self.missed_s.append(time.monotonic())

    def edits(self) -> int:
        return self.news.count(EDIT)


@asynccontextmanager
async def feed(server: RedisServer, *secrets: str) -> AsyncIterator[tuple[Feed, Listener]]:
    link = RedisConnection(parse_redis_url(server.url))
    made, listener = Feed(link, KEYS, Signer(secrets or (SECRET,))), Listener()
    made.set_listener(listener)
    link.start()
    made.start()
    try:
        await eventually(lambda: made.is_up)
        yield made, listener
    finally:
        await made.stop()
        await link.stop()


@asynccontextmanager
async def recording(server: RedisServer) -> AsyncIterator[list[bytes]]:
    """Record all messages of the channel."""
    seen: list[bytes] = []
    client = other_redis.Redis(port=server.port)
    async with client, client.pubsub() as channel:
        await channel.subscribe(KEYS.channel)

        async def record() -> None:
            while True:
                message = await channel.get_message(ignore_subscribe_messages=True, timeout=None)
                if message is not None:
                    seen.append(message["data"])

        task = asyncio.create_task(record())
        try:
            yield seen
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def publish(server: RedisServer, *messages: bytes) -> None:
    with server.client() as client:
        for message in messages:
            client.publish(KEYS.channel, message)


async def test_workers_that_tell_at_once_are_all_heard_in_order(redis_server: RedisServer) -> None:
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(feed(redis_server)) for _ in range(4)]
        for _ in range(5):
            await asyncio.gather(*(worker.publish(ALL) for worker, _ in workers))
        for worker, listener in workers:
            await eventually(lambda listener=listener: listener.news.count(ALL) == 20)  # type: ignore[misc]
            assert worker.losses == 0
            assert not worker.rejections.counts


async def test_recorded_message_moves_nothing_when_it_comes_again(redis_server: RedisServer) -> None:
    async with (
        recording(redis_server) as recorded,
        feed(redis_server) as (teller, _),
        feed(redis_server) as (hearer, listener),
    ):
        await teller.publish(EDIT)
        await teller.publish(ALL)
        await teller.notify(EDIT)
        await eventually(lambda: len(listener.news) >= 4)
        news, epoch = list(listener.news), hearer.epoch("any")
        old = list(recorded)
        publish(redis_server, *old, *reversed(old))
        await eventually(lambda: hearer.rejections.counts["replay"] == 2 * len(old))
        await teller.publish(EDIT)
        await eventually(lambda: len(listener.news) > len(news))
        assert listener.news == [*news, EDIT]
        assert (hearer.epoch("any"), hearer.losses, listener.missed_s) == (epoch, 0, [])


async def test_worker_that_starts_hears_nothing_of_what_was_recorded_before(
    redis_server: RedisServer,
) -> None:
    async with recording(redis_server) as recorded, feed(redis_server) as (teller, _):
        for _ in range(20):
            await teller.publish(ALL)
        await eventually(lambda: len(recorded) >= 20)
        async with feed(redis_server) as (hearer, listener):
            losses = hearer.losses
            counted = list(recorded[:3])
            publish(redis_server, *counted)
            await eventually(lambda: hearer.rejections.counts["replay"] >= 2)
            assert ALL not in listener.news
            assert hearer.losses == losses


async def test_message_that_is_not_signed_is_passed_over_and_told_once(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    forger = MessageCodec(Signer([OTHER]), KEYS.feed, KEYS.channel)
    elsewhere = MessageCodec(Signer([SECRET]), KEYS.feed, "choirbook:other:changes")
    async with feed(redis_server) as (hearer, listener):
        known = hearer.epoch("any")
        for number in range(100):
            message = FeedMessage("forger", known + number, 0, int(time.time()), ALL)
            publish(redis_server, forger.write(message), elsewhere.write(message), b"hello")
        await eventually(lambda: hearer.rejections.counts["message"] == 300)
        assert (hearer.epoch("any"), hearer.losses) == (known, 0)
        assert ALL not in listener.news
    assert len([each for each in caplog.records if "ignored a message from Redis" in each.getMessage()]) == 1


async def test_hosts_with_different_secrets_say_so(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with feed(redis_server) as (ours, _), feed(redis_server, OTHER) as (theirs, listener):
        await ours.publish(ALL)
        for each in (ours, theirs):
            await eventually(lambda each=each: each.rejections.counts.total() > 0)  # type: ignore[misc]
            assert each.is_up
        assert ALL not in listener.news
    assert "sealed with another secret" in caplog.text
    assert "CHOIRBOOK_REDIS_SECRET is the same on every host" in caplog.text


async def test_state_that_was_put_back_is_replaced_and_epochs_stay(redis_server: RedisServer) -> None:
    async with feed(redis_server) as (teller, _), feed(redis_server) as (hearer, listener):
        with redis_server.client() as client:
            old = client.get(KEYS.feed)
            await teller.publish(ALL)
            await eventually(lambda: ALL in listener.news)
            epoch = hearer.epoch("any")
            client.set(KEYS.feed, old)
            await eventually(lambda: client.get(KEYS.feed) != old)
        assert hearer.epoch("any") == teller.epoch("any") == epoch


async def test_state_put_back_again_and_again_calls_all_into_question_seldom(
    redis_server: RedisServer,
) -> None:
    async with feed(redis_server) as (teller, _), feed(redis_server) as (hearer, listener):
        with redis_server.client() as client:
            old = client.get(KEYS.feed)
            await teller.publish(ALL)
            await eventually(lambda: ALL in listener.news)

            def put_back() -> bool:
                client.set(KEYS.feed, old)
                return hearer.losses >= 4

            await eventually(put_back, deadline_s=20)
        await eventually(lambda: len(listener.missed_s) >= 2)
        apart_s = [
            late - early for early, late in zip(listener.missed_s, listener.missed_s[1:], strict=False)
        ]
        assert min(apart_s) >= feeds.LOSS_PAUSE_S
        assert len(listener.missed_s) < hearer.losses


async def test_forged_state_moves_no_epoch(redis_server: RedisServer) -> None:
    forger = MessageCodec(Signer(), KEYS.feed, KEYS.channel)
    async with feed(redis_server) as (hearer, listener):
        known = hearer.epoch("any")
        with redis_server.client() as client:
            client.set(KEYS.feed, forger.write_state(FeedState(2**52, int(time.time()), {"": 2**52})))
            await eventually(lambda: hearer.rejections.counts["state"] > 0)
            await never(lambda: hearer.epoch("any") != known or listener.missed_s, for_s=0.5)
        async with feed(redis_server) as (late, _):
            assert late.epoch("any") < 2**52


async def test_worker_that_finds_no_state_shares_nothing_of_before(redis_server: RedisServer) -> None:
    async with feed(redis_server) as (first, _):
        epoch = first.epoch("any")
    with redis_server.client() as client:
        client.delete(KEYS.feed)
    async with feed(redis_server) as (second, _):
        assert second.epoch("any") > epoch > 0
