"""How far a pass over many resources has come."""

from __future__ import annotations

import msgspec


class Progress(msgspec.Struct, frozen=True, rename="camel"):
    """How far a pass has come, in URIs."""

    uris: int
    """All that there are, aliases too."""
    held: int
    """In memory already, in every usual form."""
    loaded: int
    failed: int
    """Gone, or not to be read; the log has the reasons."""
    no_room: int
    """Left out, as the cache is full."""
    running: bool
