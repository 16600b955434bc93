"""Apply settled changes of files to the catalog, after agreement with other workers.

Changes that have not settled stay pending. Called by the one task that looks at the source, never
concurrently. Looking and judging are one call on a thread, which only reads: the task waits for it, then
commits the change on the event loop, a large one in steps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from math import inf
from time import monotonic
from typing import Protocol

from choirbook.catalog.catalog import Catalog
from choirbook.catalog.changeset import Draft
from choirbook.library.changes import Judge, Judged
from choirbook.library.debounce import Pending
from choirbook.model import SourceEntry
from choirbook.runtime.threads import Threads


class Others(Protocol):
    """Other workers on the same source; readers must see one consistent server."""

    async def join(self) -> None:
        """Start listening to the others, before the first look at the source."""

    async def joined(self, cost_s: float) -> None:
        """Let the others catch up with the first look, before anything is served.

        Args:
            cost_s: Duration of the look, in seconds.
        """

    async def agree(self, draft: Draft) -> Mapping[str, float]:
        """Announce a settled change before readers can see it.

        Returns:
            Paths whose change is delayed, with the monotonic time in seconds at which it takes effect.
        """
        ...


class Adopting:
    """Applies changes of files to the catalog.

    Args:
        judge: Decides which changes have settled.
        catalog: Receives the changes.
        threads: Run blocking calls.
    """

    def __init__(self, judge: Judge, catalog: Catalog, threads: Threads) -> None:
        self._judge = judge
        self._catalog = catalog
        self._threads = threads
        self._pending: dict[str, Pending] = {}
        self._settled_elsewhere: dict[str, str] = {}
        self.others: Others | None = None
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

    def give_up(self, path: str) -> None:
        """Stop waiting for a file; it is looked at again only after the next notification."""
        self._pending.pop(path, None)

    def trust(self, settled: Mapping[str, str]) -> None:
        """Accept changes without waiting for them to settle.

        Args:
            settled: Portable versions that another host has seen settle, by path.
        """
        self._settled_elsewhere |= settled

    async def look(self, paths: set[str]) -> Judged:
        """Look at single files; what is whole is to be adopted next, and what is not is pending from now on.

        Those that cannot be looked at are given up: being due for ever, they would be looked at without a
        pause.
        """
        judged = await self._threads.run(self._judge.look, paths, self._pending, self._settled_elsewhere)
        for path in paths - judged.paths:
            self.give_up(path)
        self._take(judged)
        return judged

    async def survey(self) -> Judged:
        """Look at the whole source; see `look`.

        Raises:
            SourceError: It cannot be listed.
        """
        judged = await self._threads.run(self._judge.survey, self._pending, self._settled_elsewhere)
        self._take(judged)
        return judged

    async def adopt(self, judged: Judged) -> None:
        """Adopt what a look has shown to be whole, as far as others agree."""
        if judged.draft is not None:
            await self._agree_and_commit(judged)

    async def adopt_unasked(self, seen: Mapping[str, SourceEntry | None]) -> None:
        """Commit the result of the first look without asking others, as nothing is served yet."""
        await self.commit(await self._threads.run(self._judge.prepare, seen))

    async def commit(self, draft: Draft) -> None:
        """Commit a change to the catalog; a large one in steps, so that readers get their turn in between."""
        for _ in self._catalog.commit_in_steps(draft):
            await asyncio.sleep(0)

    def _take(self, judged: Judged) -> None:
        for path in judged.paths:
            self._pending.pop(path, None)
            self._settled_elsewhere.pop(path, None)
        self._pending |= judged.pending

    async def _agree_and_commit(self, judged: Judged) -> None:
        """Commit a change, except for the part that the others delay."""
        assert judged.draft is not None
        due_s = {} if self.others is None else await self.others.agree(judged.draft)
        now_s, adopted = monotonic(), judged.adopted
        held = {
            path: Pending(adopted[path], now_s, due_s[path], now_s) for path in adopted.keys() & due_s.keys()
        }
        if not held:
            await self.commit(judged.draft)
            return
        self._pending |= held
        rest = {path: entry for path, entry in adopted.items() if path not in held}
        if rest or judged.captured:
            await self.commit(await self._threads.run(self._judge.prepare, rest, judged.captured))
