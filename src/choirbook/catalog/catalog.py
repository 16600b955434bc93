"""Index of the library: URI -> info, ordered listings, and the feed of changes.

In memory only; look-ups are synchronous dictionary reads. A change is prepared on any thread and committed on
the event loop in one step, so a reader there always sees a consistent state. It never reads a file and never
parses a client's text: a URI is a key.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import inf
from time import monotonic
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from choirbook.catalog.changeset import (
    Changeset,
    ChangesetStep,
    Document,
    Tables,
    changeset_of,
    changeset_of_all,
)
from choirbook.catalog.rules import Rules
from choirbook.errors import ResourceNotFound
from choirbook.model import Change, ResourceInfo, SourceProblem
from choirbook.text.suggestions import similar_uris
from choirbook.uri import canonical_uri

STEP_ROWS = 1000
"""Rows to change before other tasks may run: a few milliseconds, including all listeners."""


class Collision(msgspec.Struct, frozen=True):
    """Several files that claim one URI; the first path in order is served."""

    uri: str
    served: str
    hidden: tuple[str, ...]


class Page(NamedTuple):
    """A part of a listing."""

    infos: tuple[ResourceInfo, ...]
    last_uri: str | None
    """URI after which the next page starts; None on the last page."""


class Catalog:
    """The index of a library.

    Args:
        rules: Rules that map files to URIs.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.generation = 0
        self.committed_s = -inf
        """Monotonic time of the last commit."""
        self._tables = Tables({}, {}, {}, {}, {None: []})
        self._by_uri = self._tables.by_uri
        self.find: Callable[[str], ResourceInfo | None] = self._by_uri.get
        """Return the info of a canonical URI or an alias: the look-up of every hit, in one dictionary."""
        self._listeners: list[Callable[[Change], None]] = []

    def __len__(self) -> int:
        """Return the number of resources, aliases not counted."""
        return len(self._tables.ordered[None])

    def locate(self, uri: str) -> ResourceInfo:
        """Return the info of a URI in any spelling.

        Args:
            uri: As a user typed it or a client sent it.

        Raises:
            InvalidUri: No resource could have this URI.
            ResourceNotFound: No resource has it; `data["nearest"]` lists the most similar URIs.
        """
        canonical = canonical_uri(uri)
        info = self._by_uri.get(canonical)
        if info is None:
            raise self.not_found(canonical)
        return info

    def not_found(self, uri: str) -> ResourceNotFound:
        """Create the error for a canonical URI that names nothing."""
        similar = self.nearest(uri)
        hint = f" Did you mean {similar[0]}?" if similar else ""
        return ResourceNotFound(f"Resource not found: {uri}.{hint}", {"uri": uri, "nearest": list(similar)})

    def documents(self) -> Mapping[str, Document]:
        """Return the known files by path: a view that reflects later commits."""
        return MappingProxyType(self._tables.documents)

    def infos(self) -> tuple[ResourceInfo, ...]:
        """Return the infos of all URIs, aliases included, in the order of URIs."""
        return tuple(map(self._by_uri.__getitem__, sorted(self._by_uri)))

    def document(self, path: str) -> Document | None:
        """Return the document of one path."""
        return self._tables.documents.get(path)

    def page(self, after: str | None, limit: int, type_: str | None = None, prefix: str = "") -> Page:
        """Return a part of the listing, in the order of URIs.

        Args:
            after: The URI after which to start; it need not exist any more. None starts at the front.
            limit: Maximum number of resources.
            type_: Only resources of this type.
            prefix: Only resources whose URI begins so.
        """
        ordered = self._tables.ordered.get(type_, [])
        start, end = _bounds(ordered, prefix)
        if after is not None:
            start = max(start, bisect_right(ordered, after))
        uris = ordered[start : min(end, start + limit)]
        has_more = start + limit < end
        return Page(tuple(self._by_uri[uri] for uri in uris), uris[-1] if has_more and uris else None)

    def uris(self, type_: str | None = None) -> tuple[str, ...]:
        """Return the canonical URIs of a type, or all of them, in order."""
        return tuple(self._tables.ordered.get(type_, ()))

    def count(self, type_: str | None = None, prefix: str = "") -> int:
        """Return the number of resources, optionally of one type or with a URI prefix."""
        start, end = _bounds(self._tables.ordered.get(type_, []), prefix)
        return end - start

    def nearest(self, uri: str, limit: int = 3) -> tuple[str, ...]:
        """Return the URIs most similar to one that does not exist."""
        return similar_uris(uri, self._tables.ordered[None], limit)

    def collisions(self) -> list[Collision]:
        """Return the URIs that several files claim."""
        return [
            Collision(uri, self._by_uri[uri].path, tuple(sorted(i.path for i in infos) if infos else ()))
            for uri, infos in sorted(self._tables.rivals.items())
        ]

    def problems(self) -> list[SourceProblem]:
        """Return the files whose names cannot be part of a URI."""
        return [SourceProblem(path, reason) for path, reason in sorted(self._tables.names.items())]

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Register a function to call on the event loop after each change."""
        self._listeners.append(listener)

    def prepare(self, files: Mapping[str, Document | None]) -> Changeset:
        """Compute the change that results from the present state of some files; `commit` applies it.

        May run on a thread, as long as nothing else is committed meanwhile.

        Args:
            files: By path, None if the file is gone.
        """
        return changeset_of(self._tables, self.rules, files)

    def prepare_rules(self, rules: Rules) -> Changeset:
        """Compute the change that results from new rules for every known file; see `prepare`."""
        return changeset_of_all(self._tables, rules)

    def commit(self, changeset: Changeset) -> Change | None:
        """Apply a changeset in one step; call it on the event loop.

        Returns:
            The change, or None if it affects nothing that is served.
        """
        self._begin(changeset)
        for _ in changeset.carry_out(self._tables, max(1, changeset.rows)):
            pass
        if not (changeset.added or changeset.updated or changeset.removed):
            return None
        return self._notify(ChangesetStep(changeset.added, changeset.updated, changeset.removed))

    def commit_in_steps(self, changeset: Changeset) -> Iterator[None]:
        """Apply a changeset in steps of `STEP_ROWS`, if it is larger, between which other tasks may run.

        Each document changes in one step, and every listed URI can be found; listeners are called for each
        step.
        """
        if changeset.rows <= STEP_ROWS:
            self.commit(changeset)
            return
        self._begin(changeset)
        for step in changeset.carry_out(self._tables, STEP_ROWS):
            if any(step):
                self._notify(step)
            yield

    def _begin(self, changeset: Changeset) -> None:
        self.rules = changeset.rules
        self.committed_s = monotonic()

    def _notify(self, step: ChangesetStep) -> Change:
        self.generation += 1
        change = Change(self.generation, step.added, step.updated, step.removed)
        for listener in self._listeners:
            listener(change)
        return change

    def apply(self, files: Iterable[tuple[str, Document | None]]) -> Change | None:
        """Prepare and commit in one go, at startup and for few files; of one path the last entry counts."""
        return self.commit(self.prepare(dict(files)))

    def replace_rules(self, rules: Rules) -> Change | None:
        """Compute the URI of every known file again, in one go."""
        return self.commit(self.prepare_rules(rules))


def _bounds(ordered: list[str], prefix: str) -> tuple[int, int]:
    """Return the start and end index of the URIs with a prefix."""
    if not prefix:
        return 0, len(ordered)
    # No URI has a character this high: canonical ones are ASCII.
    return bisect_left(ordered, prefix), bisect_left(ordered, prefix + "\U0010ffff")
