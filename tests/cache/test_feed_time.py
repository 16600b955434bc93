"""The time of Redis, which the feed goes by, and a feed on which nothing was invalidated yet."""

from __future__ import annotations

from carrel.cache.feed import CHECK_S, LOOKS_PER_TIME, Feed
from carrel.cache.keys import Keys
from carrel.cache.messages import Wire, seconds_of
from carrel.cache.progress import Progress
from carrel.cache.redis_link import RedisLink
from carrel.cache.sealing import Sealing
from carrel.cache.suspicion import Suspicion
from carrel.redis_url import parse_redis_url
from tests.support.redis import RedisServer
from tests.support.waiting import eventually


def test_time_of_redis_has_its_microseconds() -> None:
    assert seconds_of([b"1800000000", b"250000"]) == 1_800_000_000.25
    assert seconds_of([b"1800000000", b"0"]) == 1_800_000_000


def test_feed_of_which_nothing_is_known_has_no_epoch() -> None:
    progress = Progress(Wire(Sealing(), "key", "channel"), Suspicion())
    assert (progress.epoch(""), progress.epoch("sdlc")) == (0, 0)


async def test_clock_of_redis_is_read_again_while_the_feed_is_up(redis_server: RedisServer) -> None:
    link = RedisLink(parse_redis_url(redis_server.url))
    feed = Feed(link, Keys("team", "stamp"), Sealing())
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
