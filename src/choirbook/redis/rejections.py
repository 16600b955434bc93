"""Rejected data from Redis: counts, and log messages at a limited rate."""

from __future__ import annotations

import logging
from collections import Counter
from math import inf
from time import monotonic

from choirbook.redis.signatures import Purpose

log = logging.getLogger("choirbook.redis")

REPLAYED = "replay"
"""An authentic message of the feed that was replayed."""

KINDS = (*(purpose.value for purpose in Purpose), REPLAYED)

PAUSE_S = 60.0
"""Minimum time between two log lines of one kind, in seconds: a Redis full of forged values is one event, not
a thousand."""


class Rejections:
    """Data that one process rejected."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """Counts since the start, by one of `KINDS`."""
        self._quiet_until_s: dict[str, float] = {}

    def note(self, kind: str, why: str) -> None:
        """Count rejected data, and log it unless that was done just now.

        Args:
            kind: One of `KINDS`.
            why: Reason for the rejection, without any of the bytes.
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
