"""What the library holds: URI -> info, ordered listings, and the feed of changes.

In memory only; look-ups are synchronous dictionary reads. It is changed on the event loop only, by
`apply`, so a reader on the loop always sees a whole state. It never reads a file and never parses
a client's text: a URI is a key.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from carrel.errors import InvalidUri, ResourceNotFound
from carrel.model import Change, ResourceInfo, SourceEntry, SourceProblem
from carrel.rules import RULES_FILE, Rules
from carrel.uri import canonical_uri, split_uri

_NEAREST_CANDIDATES = 2000
"""Names compared for a suggestion: bounds what a stream of wrong URIs can cost to about a millisecond."""


class Document(NamedTuple):
    """One file as it was last looked at."""

    entry: SourceEntry
    media_type: str
    title: str
    description: str


class Collision(msgspec.Struct, frozen=True):
    """Several files that claim one URI; the first path in order is served."""

    uri: str
    served: str
    hidden: tuple[str, ...]


class Page(NamedTuple):
    """A part of a listing."""

    infos: tuple[ResourceInfo, ...]
    last_uri: str | None
    """Where the next page starts after; None on the last page."""


class Catalog:
    """The index of a library.

    Args:
        rules: Which files have which URIs.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.generation = 0
        self._documents: dict[str, Document] = {}
        self._by_uri: dict[str, ResourceInfo] = {}
        self.find: Callable[[str], ResourceInfo | None] = self._by_uri.get
        """Return what a canonical URI or an alias names: the look-up of every hit, in one dictionary."""
        self._rivals: dict[str, list[ResourceInfo]] = {}
        self._names: dict[str, str] = {}
        self._ordered: dict[str | None, list[str]] = {None: []}
        self._listeners: list[Callable[[Change], None]] = []

    def __len__(self) -> int:
        """Return the number of resources, aliases not counted."""
        return len(self._ordered[None])

    def locate(self, uri: str) -> ResourceInfo:
        """Return what a URI names, however it is spelled.

        Args:
            uri: As somebody typed or a client sent it.

        Raises:
            InvalidUri: No resource could have it.
            ResourceNotFound: No resource has it; `data["nearest"]` lists those most like it.
        """
        canonical = canonical_uri(uri)
        info = self._by_uri.get(canonical)
        if info is None:
            raise self.not_found(canonical)
        return info

    def not_found(self, uri: str) -> ResourceNotFound:
        """Make the error for a canonical URI that names nothing."""
        nearest = self.nearest(uri)
        hint = f" Did you mean {nearest[0]}?" if nearest else ""
        return ResourceNotFound(f"Resource not found: {uri}.{hint}", {"uri": uri, "nearest": list(nearest)})

    def documents(self) -> dict[str, Document]:
        """Return a copy of what is known of each file, by path."""
        return dict(self._documents)

    def infos(self) -> tuple[ResourceInfo, ...]:
        """Return what every URI names, aliases too, in the order of URIs."""
        return tuple(info for _, info in sorted(self._by_uri.items()))

    def document(self, path: str) -> Document | None:
        """Return what is known of one file."""
        return self._documents.get(path)

    def page(self, after: str | None, limit: int, type_: str | None = None) -> Page:
        """Return a part of the listing, in the order of URIs.

        Args:
            after: The URI after which to start; it need not exist any more. None starts at the front.
            limit: Resources at most.
            type_: Only resources of this type.
        """
        ordered = self._ordered.get(type_, [])
        start = bisect_right(ordered, after) if after is not None else 0
        uris = ordered[start : start + limit]
        has_more = start + limit < len(ordered)
        return Page(tuple(self._by_uri[uri] for uri in uris), uris[-1] if has_more and uris else None)

    def count(self, type_: str | None = None) -> int:
        """Return the number of resources of a type, or of all."""
        return len(self._ordered.get(type_, []))

    def nearest(self, uri: str, limit: int = 3) -> tuple[str, ...]:
        """Return the URIs most like one that is not there."""
        # 20 ms to import, and a library without typing errors never needs it.
        from rapidfuzz import fuzz, process

        ordered = self._ordered[None]
        half = _NEAREST_CANDIDATES // 2
        middle = bisect_right(ordered, uri)
        candidates = ordered[max(0, middle - half) : middle + half]
        found = process.extract(uri, candidates, scorer=fuzz.ratio, limit=limit, score_cutoff=70)
        return tuple(match for match, _, _ in found)

    def collisions(self) -> list[Collision]:
        """Return the URIs that several files claim."""
        return [
            Collision(uri, self._by_uri[uri].path, tuple(sorted(i.path for i in infos) if infos else ()))
            for uri, infos in sorted(self._rivals.items())
        ]

    def problems(self) -> list[SourceProblem]:
        """Return the files whose names cannot be part of a URI."""
        return [SourceProblem(path, reason) for path, reason in sorted(self._names.items())]

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Have a function called on the event loop after each change."""
        self._listeners.append(listener)

    def apply(self, documents: Iterable[tuple[str, Document | None]]) -> Change | None:
        """Take note of files as they are now.

        Args:
            documents: Path and document, None where the file is gone.

        Returns:
            What changed, or None when nothing that is served did.
        """
        before: dict[str, ResourceInfo | None] = {}
        for path, document in documents:
            known = self._documents.pop(path, None)
            if known is not None:
                self._withdraw(path, known, before)
            self._names.pop(path, None)
            if document is not None:
                self._documents[path] = document
                self._announce(path, document, before)
        return self._settle(before)

    def replace_rules(self, rules: Rules) -> Change | None:
        """Give every known file its URI anew."""
        documents = list(self._documents.items())
        before: dict[str, ResourceInfo | None] = {}
        for path, document in documents:
            self._withdraw(path, document, before)
        self._names.clear()
        self.rules = rules
        for path, document in documents:
            self._announce(path, document, before)
        return self._settle(before)

    def _infos(self, path: str, document: Document) -> list[ResourceInfo]:
        """Make the infos of a file: the resource first, then its aliases."""
        if path == RULES_FILE:
            return []
        try:
            claim = self.rules.claim(path)
        except InvalidUri as error:
            self._names[path] = error.message
            return []
        if claim is None:
            return []
        entry = document.entry
        name = "/".join(split_uri(claim.uri).segments) or claim.uri
        return [
            ResourceInfo(
                uri=uri,
                canonical_uri=claim.uri,
                path=path,
                name=name,
                title=document.title or name,
                description=document.description,
                type=claim.type,
                media_type=document.media_type,
                size=entry.size,
                modified_ns=entry.modified_ns,
                version=entry.version,
            )
            for uri in (claim.uri, *claim.aliases)
        ]

    def _announce(self, path: str, document: Document, before: dict[str, ResourceInfo | None]) -> None:
        for info in self._infos(path, document):
            holder = self._by_uri.get(info.uri)
            before.setdefault(info.uri, holder)
            if holder is None:
                self._enlist(info)
                continue
            loser = max(holder, info, key=_precedence)
            self._rivals.setdefault(info.uri, []).append(loser)
            if loser is holder:
                self._delist(holder)
                self._enlist(info)

    def _withdraw(self, path: str, document: Document, before: dict[str, ResourceInfo | None]) -> None:
        for info in self._infos(path, document):
            rivals = self._rivals.get(info.uri, [])
            holder = self._by_uri.get(info.uri)
            if holder is None or holder.path != path:
                rivals[:] = [rival for rival in rivals if rival.path != path]
            else:
                before.setdefault(info.uri, holder)
                self._delist(holder)
                if rivals:
                    heir = min(rivals, key=_precedence)
                    rivals.remove(heir)
                    self._enlist(heir)
            if not rivals:
                self._rivals.pop(info.uri, None)

    def _enlist(self, info: ResourceInfo) -> None:
        self._by_uri[info.uri] = info
        if info.uri == info.canonical_uri:
            for key in (None, info.type):
                insort(self._ordered.setdefault(key, []), info.uri)

    def _delist(self, info: ResourceInfo) -> None:
        del self._by_uri[info.uri]
        if info.uri == info.canonical_uri:
            for key in (None, info.type):
                ordered = self._ordered[key]
                del ordered[bisect_right(ordered, info.uri) - 1]

    def _settle(self, before: dict[str, ResourceInfo | None]) -> Change | None:
        added, updated, removed = [], [], []
        for uri, old in before.items():
            new = self._by_uri.get(uri)
            if old is None and new is not None:
                added.append(uri)
            elif old is not None and new is None:
                removed.append(uri)
            elif old != new:
                updated.append(uri)
        if not (added or updated or removed):
            return None
        self.generation += 1
        change = Change(self.generation, tuple(added), tuple(updated), tuple(removed))
        for listener in self._listeners:
            listener(change)
        return change


def _precedence(info: ResourceInfo) -> tuple[bool, str]:
    """Order claims on one URI: a resource before an alias, then the first path."""
    return info.uri != info.canonical_uri, info.path
