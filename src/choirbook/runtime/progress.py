"""Progress of a pass over many resources."""

from __future__ import annotations

import msgspec


class Progress(msgspec.Struct, frozen=True, rename="camel"):
    """Progress of a preload, counted in URIs."""

    uris: int
    """Number of URIs, aliases included."""
    held: int
    """Number of URIs in memory, in every usual form."""
    loaded: int
    failed: int
    """Number of URIs that are gone or could not be read; the log has the reasons."""
    no_room: int
    """Number of URIs left out because the cache is full."""
    running: bool
