"""Apply settled changes of files to the catalog, after agreement with other workers.

Changes that have not settled stay pending. Called by the one task that looks at the source, never
concurrently. Changes are detected by one call on a thread, which only reads: the task waits for it, then
commits the changeset on the event loop, a large one in steps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from math import inf
from time import monotonic
from typing import Protocol

from choirbook.catalog.catalog import Catalog
from choirbook.catalog.changeset import Changeset
from choirbook.library.change_detector import ChangeDetector, DetectedChanges
from choirbook.library.debounce import Pending
from choirbook.model import SourceEntry
from choirbook.runtime.threads import Threads


class OtherWorkers(Protocol):
    """Other workers on the same source; readers must see one consistent server."""

    async def join(self) -> None:
        """Start listening to the others, before the first look at the source."""

    async def joined(self, cost_s: float) -> None:
        """Let the others catch up with the first look, before anything is served.

        Args:
            cost_s: Duration of the look, in seconds.
        """

    async def agree(self, changeset: Changeset) -> Mapping[str, float]:
        """Announce a settled change before readers can see it.

        Returns:
            Paths whose change is delayed, with the monotonic time in seconds at which it takes effect.
        """
        ...


class CatalogUpdater:
    """Applies changes of files to the catalog.

    Args:
        detector: Decides which changes have settled.
        catalog: Receives the changes.
        threads: Run blocking calls.
    """

    def __init__(self, detector: ChangeDetector, catalog: Catalog, threads: Threads) -> None:
        self._detector = detector
        self._catalog = catalog
        self._threads = threads
        self._pending: dict[str, Pending] = {}
        self._settled_elsewhere: dict[str, str] = {}
        self.other_workers: OtherWorkers | None = None
        """Asked before a change becomes visible to readers."""

    def __contains__(self, path: str) -> bool:
        """Tell whether a change of a file is pending."""
        return path in self._pending

    @property
    def due_s(self) -> float:
        """Monotonic time at which the next pending file must be looked at again."""
        return min((pending.due_s for pending in self._pending.values()), default=inf)

    def due(self, now_s: float) -> set[str]:
        """Return the files that must be looked at again."""
        return {path for path, pending in self._pending.items() if pending.due_s <= now_s}

    def drop(self, path: str) -> None:
        """Stop waiting for a file; it is looked at again only after the next notification."""
        self._pending.pop(path, None)

    def trust(self, settled: Mapping[str, str]) -> None:
        """Accept changes without waiting for them to settle.

        Args:
            settled: Portable versions that another host has seen settle, by path.
        """
        self._settled_elsewhere |= settled

    async def look(self, paths: set[str]) -> DetectedChanges:
        """Look at single files. Settled changes are to be applied next, others are pending from now on.

        Files that cannot be looked at are dropped: they would stay due, and be looked at without a pause.
        """
        detected = await self._threads.run(self._detector.look, paths, self._pending, self._settled_elsewhere)
        for path in paths - detected.paths:
            self.drop(path)
        self._take(detected)
        return detected

    async def scan(self) -> DetectedChanges:
        """Scan the complete source; see `look`.

        Raises:
            SourceError: It cannot be listed.
        """
        detected = await self._threads.run(self._detector.scan, self._pending, self._settled_elsewhere)
        self._take(detected)
        return detected

    async def apply(self, detected: DetectedChanges) -> None:
        """Apply the settled changes of a look, except those that other workers delay."""
        if detected.changeset is not None:
            await self._agree_and_commit(detected)

    async def apply_first(self, seen: Mapping[str, SourceEntry | None]) -> None:
        """Commit the result of the first scan without asking other workers, as nothing is served yet."""
        await self.commit(await self._threads.run(self._detector.prepare, seen))

    async def commit(self, changeset: Changeset) -> None:
        """Commit a change to the catalog; a large one in steps, so that readers get their turn in between."""
        for _ in self._catalog.commit_in_steps(changeset):
            await asyncio.sleep(0)

    def _take(self, detected: DetectedChanges) -> None:
        for path in detected.paths:
            self._pending.pop(path, None)
            self._settled_elsewhere.pop(path, None)
        self._pending |= detected.pending

    async def _agree_and_commit(self, detected: DetectedChanges) -> None:
        """Commit a change, except for the part that the others delay."""
        assert detected.changeset is not None
        due_s = {} if self.other_workers is None else await self.other_workers.agree(detected.changeset)
        now_s, settled = monotonic(), detected.settled
        held = {
            path: Pending(settled[path], now_s, due_s[path], now_s) for path in settled.keys() & due_s.keys()
        }
        if not held:
            await self.commit(detected.changeset)
            return
        self._pending |= held
        rest = {path: entry for path, entry in settled.items() if path not in held}
        if rest or detected.captured:
            await self.commit(await self._threads.run(self._detector.prepare, rest, detected.captured))
