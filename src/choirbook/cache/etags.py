"""Entity tags of rendered forms, to answer conditional requests without touching a cache."""

from __future__ import annotations

from choirbook.model import Form, ResourceInfo


class ETags:
    """Entity tags by (info, form), for one info per URI; used on the event loop only."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[ResourceInfo, dict[Form, str]]] = {}
        self._is_suspended = False

    def get(self, info: ResourceInfo, form: Form) -> str | None:
        """Return the tag of a form, if it was ever made from exactly this info."""
        known = self._known.get(info.uri)
        return known[1].get(form) if known is not None and known[0] == info else None

    def remember(self, info: ResourceInfo, form: Form, etag: str) -> None:
        """Record a tag, and drop those of another info."""
        if self._is_suspended:
            return
        known = self._known.get(info.uri)
        if known is None or known[0] != info:
            known = self._known[info.uri] = (info, {})
        known[1][form] = etag

    def forget(self, uri: str) -> None:
        """Forget the tags of a URI."""
        self._known.pop(uri, None)

    def forget_type(self, type_: str | None) -> None:
        """Forget the tags of a type, or all for None."""
        self._known = {
            uri: known for uri, known in self._known.items() if type_ is not None and known[0].type != type_
        }

    def suspend(self, *, is_suspended: bool) -> None:
        """Drop all tags and accept no further ones, or accept them again.

        A 304 by a cached tag checks no content, so while changes are not announced no tags are kept.
        """
        self._is_suspended = is_suspended
        if is_suspended:
            self._known.clear()
