"""The time of Redis as it is read, and a feed on which nothing was invalidated yet."""

from __future__ import annotations

from choirbook.redis.feed_state import FeedProgress
from choirbook.redis.messages import MessageCodec, seconds_of
from choirbook.redis.rejections import Rejections
from choirbook.redis.signatures import Signer


def test_time_of_redis_has_its_microseconds() -> None:
    assert seconds_of([b"1800000000", b"250000"]) == 1_800_000_000.25
    assert seconds_of([b"1800000000", b"0"]) == 1_800_000_000


def test_feed_of_which_nothing_is_known_has_no_epoch() -> None:
    progress = FeedProgress(MessageCodec(Signer(), "key", "channel"), Rejections())
    assert (progress.epoch(""), progress.epoch("sdlc")) == (0, 0)
