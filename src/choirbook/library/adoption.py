"""Have the catalog adopt what looks at the source have shown: what is whole, and what others agree to.

The rest is pending. Called by the one task that does all looking, never by two at a time. Looking and judging
are one call on a thread, which reads what is known and changes none of it: the task waits for it, then makes
the change on the event loop, a large one in steps.
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
    """Those who serve the same source, of whom no reader is to notice that they are several."""

    async def join(self) -> None:
        """Hear them, before the source is looked at for the first time."""

    async def joined(self, cost_s: float) -> None:
        """Let them come to know what was seen then, before it is served.

        Args:
            cost_s: What the look took, in seconds.
        """

    async def agree(self, draft: Draft) -> Mapping[str, float]:
        """Tell of a change that is whole, before it shows to readers.

        Returns:
            The paths for which it is not made yet, and when it is, in monotonic seconds.
        """
        ...


class Adopting:
    """Makes changes of files changes of the catalog.

    Args:
        judge: Says what to make of a look.
        catalog: What is changed.
        threads: Where blocking calls run.
    """

    def __init__(self, judge: Judge, catalog: Catalog, threads: Threads) -> None:
        self._judge = judge
        self._catalog = catalog
        self._threads = threads
        self._pending: dict[str, Pending] = {}
        self._settled_elsewhere: dict[str, str] = {}
        self.others: Others | None = None
        """Who is asked before a change shows to readers."""

    def __contains__(self, path: str) -> bool:
        """Tell whether a change of a file is pending."""
        return path in self._pending

    @property
    def due_s(self) -> float:
        """Monotonic time from which some file is to be looked at again."""
        return min((pending.due_s for pending in self._pending.values()), default=inf)

    def due(self, now_s: float) -> set[str]:
        """Return the files that are to be looked at again."""
        return {path for path, pending in self._pending.items() if pending.due_s <= now_s}

    def give_up(self, path: str) -> None:
        """Wait no longer for a file: until somebody tells of it again, it is not looked at."""
        self._pending.pop(path, None)

    def trust(self, settled: Mapping[str, str]) -> None:
        """Have changes believed without a wait of their own.

        Args:
            settled: Portable versions of which another host has seen that they are whole, by path.
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
        """Adopt what the first look has shown, before anything is served, so that nobody is asked."""
        await self.commit(await self._threads.run(self._judge.prepare, seen))

    async def commit(self, draft: Draft) -> None:
        """Have readers see a change, with turns of theirs in between where it is a large one."""
        for _ in self._catalog.commit_in_steps(draft):
            await asyncio.sleep(0)

    def _take(self, judged: Judged) -> None:
        for path in judged.paths:
            self._pending.pop(path, None)
            self._settled_elsewhere.pop(path, None)
        self._pending |= judged.pending

    async def _agree_and_commit(self, judged: Judged) -> None:
        """Make a change, but for the part of it that is to wait."""
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
