"""What the workers of one server say of themselves. Values only, pure."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import UNSET, UnsetType

from choirbook.runtime.progress import Progress


class LinkState(StrEnum):
    """How it is with something that may be switched off."""

    OFF = "off"
    UP = "up"
    DOWN = "down"


class WorkerState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What one worker holds."""

    pid: int
    entries: int
    """Resources in its memory; those that are to be loaded again are among them until they are."""
    bytes: int
    """Bodies, keys counted."""
    max_entries: int
    max_bytes: int
    evictions: int
    """Since the worker's start."""
    resources: int
    """In its catalog."""
    generation: int
    """Of its catalog: how often it has changed."""
    ready: bool
    """Whether its first survey is done."""
    watching: bool
    """Whether the system tells it of changes, or surveys find them."""
    redis: LinkState
    feed: LinkState
    feed_losses: int
    """How often messages of other hosts were lost, since the worker's start."""
    warming: Progress
    forgotten: int | UnsetType = UNSET
    """URIs that it was made to forget; unset where it was asked something else."""


class Crew(msgspec.Struct, frozen=True):
    """What the workers of a server said."""

    workers: tuple[WorkerState, ...]
    """The one that was asked first."""
    silent: int
    """Those that are alive and did not answer in time."""

    @property
    def forgotten(self) -> int:
        """URIs that they were made to forget, added up."""
        return sum(worker.forgotten or 0 for worker in self.workers)

    @property
    def is_warming(self) -> bool:
        """Whether a worker is still loading ahead."""
        return any(worker.warming.running for worker in self.workers)
