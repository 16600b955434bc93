"""Registry of protocol revisions: the only place that knows their dates."""

from __future__ import annotations

from typing import Final

from choirbook.errors import Era

MODERN: Final = ("2026-07-28",)
HANDSHAKE: Final = ("2025-11-25", "2025-06-18", "2025-03-26")
SERVED: Final = (*MODERN, *HANDSHAKE)
"""Every revision that is served, newest first."""

NEWEST_HANDSHAKE: Final = HANDSHAKE[0]

ASSUMED: Final = "2025-03-26"
"""Revision of a client that sends no version header: the header came after this revision."""

BATCHING: Final = frozenset({"2025-03-26"})
"""Revisions with JSON-RPC batches."""

_ERAS = dict.fromkeys(MODERN, Era.MODERN) | dict.fromkeys(HANDSHAKE, Era.HANDSHAKE)


def era_of(revision: str) -> Era | None:
    """Return the era of a revision that is served, or None."""
    return _ERAS.get(revision)
