"""Decision when a change seen in a file has settled.

Pure. A file that is rewritten in place is, for a while, part new and part old text, or empty. Comparing it
before and after the read does not reveal this: the writer may pause around all three. So a version counts
once it has been the same for a quiet time.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from choirbook.model import SourceEntry
from choirbook.sources.quiet_period import GONE_QUIET_S as EMPTY_QUIET_S
from choirbook.sources.quiet_period import QUIET_S

__all__ = ["EMPTY_QUIET_S", "QUIET_S", "RESTLESS_S", "Pending", "Verdict", "settle"]

RESTLESS_S = 0.2
"""Time in seconds after which a document that is never quiet is considered to be replaced again and again:
waiting longer is useless."""


class Pending(NamedTuple):
    """A change that waits for its quiet time."""

    entry: SourceEntry | None
    since_s: float
    due_s: float
    restless_s: float
    """Monotonic time since when some change has always been pending."""

    def is_restless(self, now_s: float) -> bool:
        """Return whether changes have followed one another for long."""
        return self.since_s > self.restless_s and now_s - self.restless_s >= RESTLESS_S


class Verdict(Enum):
    """Action to take after a look at a file."""

    KEEP = "nothing changed"
    ADOPT = "the change is whole"
    WAIT = "look again when it is due"


def settle(
    known: SourceEntry | None, seen: SourceEntry | None, pending: Pending | None, now_s: float
) -> tuple[Verdict, Pending | None]:
    """Decide about one look at a file.

    Args:
        known: Entry that is served, None if the file is not served.
        seen: Entry that the look showed, None if the file is gone.
        pending: The change that the last look put off, if any.
        now_s: Monotonic time in seconds.

    Returns:
        The verdict, and the change that is pending after it.
    """
    if _same(known, seen):
        return Verdict.KEEP, None
    if pending is None or not _same(pending.entry, seen):
        restless_s = now_s if pending is None else pending.restless_s
        return Verdict.WAIT, Pending(seen, now_s, now_s + _quiet_s(known, seen), restless_s)
    if now_s >= pending.due_s:
        return Verdict.ADOPT, None
    return Verdict.WAIT, pending


def _same(one: SourceEntry | None, other: SourceEntry | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.version == other.version


def _quiet_s(known: SourceEntry | None, seen: SourceEntry | None) -> float:
    emptied = known is not None and known.size > 0 and seen is not None and seen.size == 0
    return EMPTY_QUIET_S if emptied else QUIET_S
