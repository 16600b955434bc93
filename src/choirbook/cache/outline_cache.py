"""Cache of outlines, least recently used first out; used on the event loop only."""

from __future__ import annotations

from collections import OrderedDict

from choirbook.documents.sections.outline import Outline
from choirbook.model import ResourceInfo, Version

MAX_KEPT_SECTIONS = 50_000
"""Maximum sections in all cached outlines: some 20 MB, whatever documents clients request."""

_OUTLINE_COST = 4
"""Cost of an outline beside its sections, in sections."""


class OutlineCache:
    """Least-recently-used outlines by URI and version.

    Args:
        max_sections: Maximum number of sections kept.
    """

    def __init__(self, max_sections: int = MAX_KEPT_SECTIONS) -> None:
        self._max_sections = max_sections
        self._kept: OrderedDict[str, tuple[Version, Outline]] = OrderedDict()
        self._sections = 0

    def __len__(self) -> int:
        """Return the number of outlines kept."""
        return len(self._kept)

    def get(self, info: ResourceInfo) -> Outline | None:
        """Return the outline of exactly this version, if it is cached."""
        found = self._kept.get(info.uri)
        if found is None or found[0] != info.version:
            return None
        self._kept.move_to_end(info.uri)
        return found[1]

    def put(self, info: ResourceInfo, outline: Outline) -> None:
        """Cache an outline in place of one of an older version, evicting the least recently used."""
        self._forget(self._kept.pop(info.uri, None))
        self._kept[info.uri] = (info.version, outline)
        self._sections += _cost(outline)
        while self._sections > self._max_sections and len(self._kept) > 1:
            self._forget(self._kept.popitem(last=False)[1])

    def discard(self, uri: str) -> Outline | None:
        """Drop the outline of a URI, and return it."""
        entry = self._kept.pop(uri, None)
        self._forget(entry)
        return None if entry is None else entry[1]

    def _forget(self, entry: tuple[Version, Outline] | None) -> None:
        if entry is not None:
            self._sections -= _cost(entry[1])


def _cost(outline: Outline) -> int:
    return len(outline.sections) + _OUTLINE_COST
