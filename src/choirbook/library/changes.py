"""Decisions about observed changes: which have settled, which wait, and the resulting draft of the catalog.

Blocking, and slow for many files, so it is called on a thread: it reads the catalog and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from typing import NamedTuple

from choirbook.catalog.catalog import Catalog
from choirbook.catalog.changeset import Document, Draft
from choirbook.library import scanner
from choirbook.library.debounce import Pending, Verdict, settle
from choirbook.model import Source, SourceEntry


class Judged(NamedTuple):
    """Decisions about the files of one look."""

    paths: frozenset[str]
    pending: dict[str, Pending]
    """Files of this look whose change has not settled."""
    adopted: dict[str, SourceEntry | None]
    """The other files of this look."""
    captured: dict[str, Document]
    """Contents of files that never settle, read while no one was writing."""
    draft: Draft | None
    """Resulting change of the catalog; None if there is none."""


class Judge:
    """Decides about changes of one source.

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

    def judge(
        self,
        seen: Mapping[str, SourceEntry | None],
        waiting: Mapping[str, Pending],
        settled_elsewhere: Mapping[str, str],
    ) -> Judged:
        """Decide about the files that were seen.

        Args:
            seen: Present state of the files, by path; None if the file is gone.
            waiting: Pending changes of previous looks.
            settled_elsewhere: Portable versions that another host has seen settle, by path.
        """
        now_s = monotonic()
        pending: dict[str, Pending] = {}
        adopted: dict[str, SourceEntry | None] = {}
        for path, entry in seen.items():
            document = self._catalog.document(path)
            known = None if document is None else document.entry
            verdict, waits = settle(known, entry, waiting.get(path), now_s)
            if verdict is Verdict.WAIT and self._is_of(settled_elsewhere.get(path), entry):
                verdict, waits = Verdict.ADOPT, None
            if waits is not None:
                pending[path] = waits
            if verdict is Verdict.ADOPT:
                adopted[path] = entry
        # A file that has settled is read from its place again; one that never settles is captured.
        self._source.release(seen.keys() - pending.keys())
        captured = self._capture(pending, now_s)
        for path in captured:
            del pending[path]
        # These had their chance: a file that is rewritten in place must not take more of this task's time.
        now_s = monotonic()
        pending |= {
            path: waits._replace(restless_s=now_s)
            for path, waits in pending.items()
            if waits.is_restless(now_s)
        }
        draft = self.prepare(adopted, captured) if adopted or captured else None
        return Judged(frozenset(seen), pending, adopted, captured, draft)

    def prepare(
        self, entries: Mapping[str, SourceEntry | None], captured: Mapping[str, Document] | None = None
    ) -> Draft:
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
