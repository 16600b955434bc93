"""Paths and answers of the admin surface, shared by the surface and its client. Pure."""

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
    """Result of an invalidation."""

    workers: int
    """Workers of this server that have forgotten the content."""
    silent: int
    """Live workers that did not answer in time; the message has reached them."""
    forgotten: int
    """Number of forgotten URIs, added up over the workers."""
    feed: LinkState
    """Whether other hosts hear of it now (up), once Redis is available (down), or do not exist (off)."""
    uri: str | None = None
    type: str | None = None
    all: bool = False


class CrewAnswer(msgspec.Struct, frozen=True):
    """State of the workers' caches."""

    workers: tuple[WorkerState, ...]
    silent: int
    """Live workers that did not answer in time."""
    entries: int
    bytes: int
    evictions: int
    """Evictions since each worker's start."""
    reads: Counts | None
    """Read counts; None if the server's metrics are disabled."""
