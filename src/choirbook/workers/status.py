"""State that the workers of one server report. Values only, pure."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import UNSET, UnsetType

from choirbook.runtime.progress import Progress


class ConnectionState(StrEnum):
    """State of a connection that may be disabled."""

    OFF = "off"
    UP = "up"
    DOWN = "down"


class WorkerState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """State of one worker's cache and catalog."""

    pid: int
    entries: int
    """Resources in memory, including those that wait to be reloaded."""
    bytes: int
    """Size of the bodies and keys in memory, in bytes."""
    max_entries: int
    max_bytes: int
    evictions: int
    """Evictions since the worker's start."""
    resources: int
    """Resources in the catalog."""
    generation: int
    """Generation of the catalog: the number of its changes."""
    ready: bool
    """Whether the first scan is complete."""
    watching: bool
    """Whether the system reports changes; otherwise scans find them."""
    redis: ConnectionState
    feed: ConnectionState
    feed_losses: int
    """Number of times that messages of other hosts were lost, since the worker's start."""
    warming: Progress
    forgotten: int | UnsetType = UNSET
    """Number of URIs that the worker invalidated; unset in answers to other questions."""


class ServerStatus(msgspec.Struct, frozen=True):
    """Reported states of the workers of one server."""

    workers: tuple[WorkerState, ...]
    """States of the workers; the one that was asked comes first."""
    silent: int
    """Number of live workers that did not answer in time."""

    @property
    def forgotten(self) -> int:
        """Total number of URIs that the workers invalidated."""
        return sum(worker.forgotten or 0 for worker in self.workers)

    @property
    def is_warming(self) -> bool:
        """Whether any worker is still preloading."""
        return any(worker.warming.running for worker in self.workers)
