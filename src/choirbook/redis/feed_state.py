"""Progress of the feed as one worker knows it, compared with the state in Redis. Pure.

The state in Redis is signed, and only ever grows: a state older than the worker's was lost or rolled back,
and is replaced by the worker's.
"""

from __future__ import annotations

from choirbook.model import Invalidation
from choirbook.redis.messages import CacheInvalidated, FeedState, MessageCodec, News, joined
from choirbook.redis.rejections import Rejections
from choirbook.redis.signatures import Corrupt, Purpose


class FeedProgress:
    """Latest state that one worker knows.

    Args:
        codec: Serializes and parses the state.
        rejections: Counts rejected states.
    """

    def __init__(self, codec: MessageCodec, rejections: Rejections) -> None:
        self._codec = codec
        self._rejections = rejections
        self.state: FeedState | None = None
        """Latest state; None until anything is known."""
        self.raw = b""
        """Bytes in Redis at the last reading: a replacement must find them unchanged."""

    def epoch(self, type_: str) -> int:
        """Return the number of the last invalidation that affected all of a type."""
        epochs = {} if self.state is None else self.state.epochs
        return max(epochs.get("", 0), epochs.get(type_, 0))

    def see(self, raw: bytes) -> FeedState | None:
        """Record the state in Redis.

        Returns:
            The state there; None if there is none, or it cannot be verified.
        """
        self.raw = raw
        if not raw:
            return None
        try:
            found = self._codec.read_state(raw)
        except Corrupt as error:
            self._rejections.note(Purpose.STATE.value, str(error))
            return None
        self._advance(found)
        return found

    def record(self, number: int, news: News, now_s: float) -> None:
        """Record a verified, counted message."""
        self._advance(FeedState(number, int(now_s), _epochs_of(news, number)))

    def after(self, news: News, now_s: float) -> FeedState:
        """Return the state after the next message.

        Args:
            news: Content of the message.
            now_s: Unix time of Redis.
        """
        state = self.created(now_s) if self.state is None else self.state
        number = state.number + 1
        return FeedState(number, int(now_s), joined(state.epochs, _epochs_of(news, number)))

    def created(self, now_s: float) -> FeedState:
        """Return the state of a new feed.

        No invalidation may be lost with the old one, so it makes all values shared before unreachable.
        """
        base = int(now_s * 1000)
        return FeedState(base, 0, {"": base})

    def put(self, state: FeedState, raw: bytes) -> None:
        """Record the state that this worker has written."""
        self._advance(state)
        self.raw = raw

    def _advance(self, found: FeedState) -> None:
        known = self.state
        if known is None:
            self.state = found
        else:
            self.state = FeedState(
                max(known.number, found.number),
                max(known.announced_s, found.announced_s),
                joined(known.epochs, found.epochs),
            )


def _epochs_of(news: News, number: int) -> dict[str, int]:
    match news:
        case CacheInvalidated(Invalidation(uri=None, type=type_)):
            return {type_ or "": number}
    return {}
