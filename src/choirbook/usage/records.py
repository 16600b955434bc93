"""Rows of the usage records. Times are Unix times in seconds."""

from __future__ import annotations

import msgspec


class ResourceUsage(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Usage of one document."""

    uri: str
    """Canonical URI."""
    reads: int
    last_read_s: float | None
    """Time of the last read; None if there was none."""
    is_served: bool
    """Whether the library had it, as of the last change that was recorded."""


class ClientUsage(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Usage by one client."""

    name: str
    version: str
    reads: int
    last_read_s: float


class ClientDocumentUsage(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Reads of one document by one client."""

    name: str
    version: str
    uri: str
    reads: int
    last_read_s: float


class EmptySearch(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Query without results."""

    query: str
    """Query, truncated."""
    count: int
    last_s: float
