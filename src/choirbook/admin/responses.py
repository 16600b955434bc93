"""Paths and response bodies of the admin API, shared by server and client. Pure."""

from __future__ import annotations

import msgspec

from choirbook.workers.status import ConnectionState, WorkerState

INVALIDATE = "/admin/cache/invalidate"
WARM = "/admin/cache/warm"
STATS = "/admin/cache/stats"


class ReadCounts(msgspec.Struct, frozen=True):
    """Reads of all workers since the server's start, as in its metrics."""

    hits: int
    misses: int
    stale: int


class InvalidateResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """Result of an invalidation."""

    workers: int
    """Workers of this server that have invalidated the content."""
    silent: int
    """Live workers that did not answer in time; the message has reached them."""
    forgotten: int
    """Number of invalidated URIs, summed over the workers."""
    feed: ConnectionState
    """Whether other hosts are notified now (up), once Redis is available (down), or do not exist (off)."""
    uri: str | None = None
    type: str | None = None
    all: bool = False


class StatusResponse(msgspec.Struct, frozen=True):
    """State of the workers' caches."""

    workers: tuple[WorkerState, ...]
    silent: int
    """Live workers that did not answer in time."""
    entries: int
    bytes: int
    evictions: int
    """Evictions since each worker's start."""
    reads: ReadCounts | None
    """Read counts; None if the server's metrics are disabled."""
