"""What the ledger tells. Times are Unix times in seconds."""

from __future__ import annotations

import msgspec


class ResourceUsage(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One document."""

    uri: str
    """Canonical."""
    reads: int
    last_read_s: float | None
    """None where nobody has read it."""
    is_served: bool
    """Whether the library had it, as of the last change that the ledger was told of."""


class ClientUsage(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One client."""

    name: str
    version: str
    reads: int
    last_read_s: float


class Loaded(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """What one client read of one document."""

    name: str
    version: str
    uri: str
    reads: int
    last_read_s: float


class EmptySearch(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Words that nothing was found for."""

    query: str
    """Shortened."""
    count: int
    last_s: float
