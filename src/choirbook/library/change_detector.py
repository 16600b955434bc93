"""Detect changes of files: which have settled, which are still pending, and the resulting changeset.

Blocking, and many files take time, so it is called on a thread, once for each pass over some files. It reads
the catalog, and does not change it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from time import monotonic
from typing import NamedTuple

from choirbook.catalog.catalog import Catalog
from choirbook.catalog.changeset import Changeset, Document
from choirbook.library import scanner
from choirbook.library.debounce import Pending, Verdict, settle
from choirbook.model import Source, SourceEntry


class DetectedChanges(NamedTuple):
    """Changes found by one look or scan."""

    paths: frozenset[str]
    pending: dict[str, Pending]
    """Files of this look whose change has not settled."""
    settled: dict[str, SourceEntry | None]
    """The other files of this look."""
    captured: dict[str, Document]
    """Contents of files that never settle, read while no one was writing."""
    changeset: Changeset | None
    """Resulting change of the catalog; None if there is none."""
    cost_s: float = 0.0
    """Duration of listing the source, in seconds, if it was listed."""

    @property
    def has_gone(self) -> bool:
        """Whether a file that is served is no longer there."""
        changes = (*self.settled.values(), *(pending.entry for pending in self.pending.values()))
        return any(entry is None for entry in changes)


class ChangeDetector:
    """Detects the changes of one source.

    Args:
        source: Source of the files.
        catalog: Catalog with the known state of the files.
    """

    def __init__(self, source: Source, catalog: Catalog) -> None:
        self._source = source
        self._catalog = catalog

    def known(self) -> Mapping[str, Document]:
        """Return the known files, by path."""
        return self._catalog.documents()

    def look(
        self, paths: Iterable[str], waiting: Mapping[str, Pending], settled_elsewhere: Mapping[str, str]
    ) -> DetectedChanges:
        """Look at single files; those that cannot be looked at are left out of the result.

        Args:
            paths: Paths of the files.
            waiting: Changes that previous looks left pending, by path.
            settled_elsewhere: Portable versions that another host has seen settle, by path.
        """
        return self._classify(scanner.look(self._source, paths), waiting, settled_elsewhere)

    def scan(self, waiting: Mapping[str, Pending], settled_elsewhere: Mapping[str, str]) -> DetectedChanges:
        """Scan the complete source; see `look`. Unchanged files are left out.

        Raises:
            SourceError: The root cannot be listed.
        """
        found = scanner.differences(self._source, self.known())
        return self._classify(found.seen, waiting, settled_elsewhere)._replace(cost_s=found.cost_s)

    def _classify(
        self,
        seen: Mapping[str, SourceEntry | None],
        waiting: Mapping[str, Pending],
        settled_elsewhere: Mapping[str, str],
    ) -> DetectedChanges:
        """Classify the present entries of files, by path; None if the file is gone."""
        now_s = monotonic()
        pending: dict[str, Pending] = {}
        settled: dict[str, SourceEntry | None] = {}
        for path, entry in seen.items():
            document = self._catalog.document(path)
            known = None if document is None else document.entry
            verdict, waits = settle(known, entry, waiting.get(path), now_s)
            if verdict is Verdict.WAIT and self._is_of(settled_elsewhere.get(path), entry):
                verdict, waits = Verdict.ADOPT, None
            if waits is not None:
                pending[path] = waits
            if verdict is Verdict.ADOPT:
                settled[path] = entry
        # A file that has settled is read from its place again; one that never settles is captured.
        self._source.release(seen.keys() - pending.keys())
        captured = self._capture(pending, now_s)
        for path in captured:
            del pending[path]
        # One attempt each: a file that is rewritten in place must not take more of this task's time.
        now_s = monotonic()
        pending |= {
            path: waits._replace(restless_s=now_s)
            for path, waits in pending.items()
            if waits.is_restless(now_s)
        }
        changeset = self.prepare(settled, captured) if settled or captured else None
        return DetectedChanges(frozenset(seen), pending, settled, captured, changeset)

    def prepare(
        self, entries: Mapping[str, SourceEntry | None], captured: Mapping[str, Document] | None = None
    ) -> Changeset:
        """Return the draft that results from changed files.

        Args:
            entries: Files to read, by path; None if the file is gone.
            captured: Files that were read already.
        """
        described = scanner.describe_all(self._source, entries, self.known())
        return self._catalog.prepare({**described, **(captured or {})})

    def _is_of(self, version: str | None, entry: SourceEntry | None) -> bool:
        """Return whether a file has a portable version, if one is given."""
        if version is None:
            return False
        return version == ("" if entry is None else self._source.portable(entry.version))

    def _capture(self, pending: Mapping[str, Pending], now_s: float) -> dict[str, Document]:
        restless = [path for path, waits in pending.items() if waits.entry and waits.is_restless(now_s)]
        return scanner.capture(self._source, restless) if restless else {}
