"""What to make of a look at files: which changes are believed, which wait, and what they make of the catalog.

Blocking, and a mass of files takes time, so it is called on a thread: it reads what is known, and changes
none of it.
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
    """What to make of a look at some files."""

    paths: frozenset[str]
    pending: dict[str, Pending]
    """Of these files, those that are not whole."""
    adopted: dict[str, SourceEntry | None]
    """The others."""
    captured: dict[str, Document]
    """Files that never come to rest, as they were read in a moment of it."""
    draft: Draft | None
    """What those change; None where they change nothing."""


class Judge:
    """Judges changes of one source.

    Args:
        source: Where the files are.
        catalog: What is known of them.
    """

    def __init__(self, source: Source, catalog: Catalog) -> None:
        self._source = source
        self._catalog = catalog

    def known(self) -> Mapping[str, Document]:
        """Return what is known, by path."""
        return self._catalog.documents()

    def judge(
        self,
        seen: Mapping[str, SourceEntry | None],
        waiting: Mapping[str, Pending],
        settled_elsewhere: Mapping[str, str],
    ) -> Judged:
        """Judge what was seen.

        Args:
            seen: Files as they are now, by path; None for what is gone.
            waiting: What waits since looks before.
            settled_elsewhere: Portable versions of which another host has seen that they are whole, by path.
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
        # What is quiet is read from its place again; what never comes to rest is captured.
        self._source.release(seen.keys() - pending.keys())
        captured = self._capture(pending, now_s)
        for path in captured:
            del pending[path]
        # The others had their chance: one that is rewritten in place takes no more of this task's time soon.
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
        """Return what changes of files make of the catalog.

        Args:
            entries: Those that are read for it, by path; None for what is gone.
            captured: Those that were read already.
        """
        described = scanner.describe_all(self._source, entries, self.known())
        return self._catalog.prepare({**described, **(captured or {})})

    def _is_of(self, version: str | None, entry: SourceEntry | None) -> bool:
        """Tell whether a file is of a portable version, where there is one."""
        if version is None:
            return False
        return version == ("" if entry is None else self._source.portable(entry.version))

    def _capture(self, pending: Mapping[str, Pending], now_s: float) -> dict[str, Document]:
        restless = [path for path, waits in pending.items() if waits.entry and waits.is_restless(now_s)]
        return scanner.capture(self._source, restless) if restless else {}
