"""The clock of Redis, which the feed goes by."""

from __future__ import annotations

from choirbook.redis.connection import RedisConnection
from choirbook.redis.feed import CHECK_S, LOOKS_PER_TIME, Feed
from choirbook.redis.keys import RedisKeys
from choirbook.redis.signatures import Signer
from choirbook.redis.url import parse_redis_url
from tests.support.redis import RedisServer
from tests.support.waiting import eventually


async def test_clock_of_redis_is_read_again_while_the_feed_is_up(redis_server: RedisServer) -> None:
    link = RedisConnection(parse_redis_url(redis_server.url))
    feed = Feed(link, RedisKeys("team", "stamp"), Signer())
    link.start()
    feed.start()
    try:
        await eventually(lambda: feed.is_up)
        begun = redis_server.commands()["time"]
        # Clocks drift apart: a message whose time is taken from an old look would count as replayed.
        await eventually(
            lambda: redis_server.commands()["time"] > begun, deadline_s=20 + CHECK_S * LOOKS_PER_TIME
        )
    finally:
        await feed.stop()
        await link.stop()
