"""How far the feed has come, as one worker knows it, and what Redis has of that. Pure.

The state in Redis is signed, and only ever grows: what is older than a worker knows already is a state that
was lost or put back, and is replaced by what the worker knows.
"""

from __future__ import annotations

from choirbook.model import Invalidation
from choirbook.redis.messages import Dropped, FeedState, News, Wire, joined
from choirbook.redis.rejections import Suspicion
from choirbook.redis.signatures import Corrupt, Purpose


class FeedProgress:
    """The latest state that one worker knows.

    Args:
        wire: Writes and reads the state.
        suspicion: Where a state that is not believed is counted.
    """

    def __init__(self, wire: Wire, suspicion: Suspicion) -> None:
        self._wire = wire
        self._suspicion = suspicion
        self.state: FeedState | None = None
        """None until anything is known."""
        self.raw = b""
        """What Redis held when it was looked at last: what replaces it must find it unchanged."""

    def epoch(self, type_: str) -> int:
        """Return the number of the last invalidation that concerned all of a type."""
        epochs = {} if self.state is None else self.state.epochs
        return max(epochs.get("", 0), epochs.get(type_, 0))

    def see(self, raw: bytes) -> FeedState | None:
        """Take note of what Redis holds.

        Returns:
            The state there; None where there is none, or none that verifies.
        """
        self.raw = raw
        if not raw:
            return None
        try:
            found = self._wire.read_state(raw)
        except Corrupt as error:
            self._suspicion.note(Purpose.STATE.value, str(error))
            return None
        self._advance(found)
        return found

    def hear(self, number: int, news: News, now_s: float) -> None:
        """Take note of a counted message that was verified."""
        self._advance(FeedState(number, int(now_s), _epochs_of(news, number)))

    def after(self, news: News, now_s: float) -> FeedState:
        """Return the state after the next message.

        Args:
            news: What it tells.
            now_s: Unix time of Redis.
        """
        state = self.created(now_s) if self.state is None else self.state
        number = state.number + 1
        return FeedState(number, int(now_s), joined(state.epochs, _epochs_of(news, number)))

    def created(self, now_s: float) -> FeedState:
        """Return the state of a feed of which nothing is known.

        No invalidation may be forgotten with it, so all that was shared before is out of reach.
        """
        base = int(now_s * 1000)
        return FeedState(base, 0, {"": base})

    def put(self, state: FeedState, raw: bytes) -> None:
        """Take note of what this worker has written."""
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
        case Dropped(Invalidation(uri=None, type=type_)):
            return {type_ or "": number}
    return {}
