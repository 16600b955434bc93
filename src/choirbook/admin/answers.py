"""What the admin surface answers, and where; the surface and its client agree on it. Pure."""

from __future__ import annotations

import msgspec

from choirbook.workers.status import LinkState, WorkerState

INVALIDATE = "/admin/cache/invalidate"
WARM = "/admin/cache/warm"
STATS = "/admin/cache/stats"


class Counts(msgspec.Struct, frozen=True):
    """Reads of all workers since the server's start, as in its metrics."""

    hits: int
    misses: int
    stale: int


class InvalidateAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of an invalidation."""

    workers: int
    """Those of this server that have forgotten."""
    silent: int
    """Those that are alive and did not answer in time; they are told."""
    forgotten: int
    """URIs, added up over the workers."""
    feed: LinkState
    """Whether other hosts hear of it now (up), once Redis can be used (down), or there are none (off)."""
    uri: str | None = None
    type: str | None = None
    all: bool = False


class CrewAnswer(msgspec.Struct, frozen=True):
    """What the workers hold."""

    workers: tuple[WorkerState, ...]
    silent: int
    """Workers that are alive and did not answer in time."""
    entries: int
    bytes: int
    evictions: int
    """Since each worker's start."""
    reads: Counts | None
    """None where the server counts nothing, as its metrics are off."""
