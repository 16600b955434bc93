"""Count what came from Redis and was not believed, and tell the operator, but not again and again."""

from __future__ import annotations

import logging
from collections import Counter
from math import inf
from time import monotonic

from choirbook.redis.signatures import Purpose

log = logging.getLogger("choirbook.redis")

REPLAYED = "replay"
"""A message of the feed that was genuine, and came again."""

KINDS = (*(purpose.value for purpose in Purpose), REPLAYED)

PAUSE_S = 60.0
"""Between two log lines of one kind: a Redis full of forged values is one event, not a thousand."""


class Suspicion:
    """What one process did not believe."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """By one of `KINDS`, since the start."""
        self._quiet_until_s: dict[str, float] = {}

    def note(self, kind: str, why: str) -> None:
        """Count something, and log it unless that was done just now.

        Args:
            kind: One of `KINDS`.
            why: What was wrong with it, without any of its bytes.
        """
        self.counts[kind] += 1
        now_s = monotonic()
        if now_s < self._quiet_until_s.get(kind, -inf):
            return
        self._quiet_until_s[kind] = now_s + PAUSE_S
        log.warning(
            "ignored a %s from Redis: %s. Check that CHOIRBOOK_REDIS_SECRET is the same on every host, and "
            "who else can write to this Redis",
            kind,
            why,
        )
