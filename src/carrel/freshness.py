"""Keep the catalog true to the source: watch, look again, survey now and then.

One task does all looking, so two looks at one file never race. Whatever takes time, of a disk or of
a mass of files, runs on a thread, which reads what is known and changes none of it: the task waits for
it, then makes the change on the event loop in one step.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import Protocol

from carrel import surveying
from carrel.catalog import Catalog
from carrel.draft import Draft
from carrel.errors import InvalidLibrary
from carrel.judging import Judge, Judged
from carrel.model import Source, SourceEntry, SourceError
from carrel.rules import RULES_FILE
from carrel.settling import Pending
from carrel.sources.ignoring import IGNORE_FILE, is_hidden
from carrel.threads import Threads

log = logging.getLogger("carrel.freshness")

MAX_SURVEY_SHARE = 0.1
"""Part of the time that surveys may take: a library of a million files is surveyed less often."""

TRUE_FOR_S = 5.0
"""Age at which a catalog that somebody else filled is no longer served before it was compared."""

_WATCH_RETRY_S = 5.0
_RETRY_S = 1.0


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


class Freshness:
    """Follows a source.

    Args:
        source: What is followed.
        catalog: What is kept true. When it was filled a moment ago, it is served at once, and the first
            survey describes only what differs.
        root: The library's directory, for its rules.
        threads: Where blocking calls run.
        rescan_s: Pause between surveys, in seconds.
        watch: Whether to have the system tell of changes.
    """

    def __init__(
        self,
        source: Source,
        catalog: Catalog,
        root: Path,
        threads: Threads,
        *,
        rescan_s: float,
        watch: bool,
    ) -> None:
        self._source = source
        self._catalog = catalog
        self._root = root
        self._threads = threads
        self._judge = Judge(source, catalog)
        self._rescan_s = rescan_s
        self._watch = watch
        self._rules_text = catalog.rules.text
        self._dirty: set[str] = set()
        self._survey_wanted = False
        self._pending: dict[str, Pending] = {}
        self._settled_elsewhere: dict[str, str] = {}
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._others: Others | None = None
        self._next_survey_s = 0.0
        self._earliest_survey_s = 0.0
        self.ready = asyncio.Event()
        """Set once the catalog holds a survey."""
        self.watching = False
        """Whether the system tells of changes now; without it, surveys find them."""
        self.failed_surveys = 0
        """Surveys that failed, since the start."""
        # A worker that replaces a dead one has the catalog of when the server was started: too old.
        if monotonic() - catalog.committed_s < TRUE_FOR_S:
            self.ready.set()

    def start(self) -> None:
        """Begin to follow, on the running event loop."""
        self._tasks.append(asyncio.create_task(self._follow(), name="carrel-freshness"))
        if self._watch:
            self._tasks.append(asyncio.create_task(self._listen(), name="carrel-watch"))

    async def stop(self) -> None:
        """End all tasks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def agree_with(self, others: Others) -> None:
        """Have others asked about each change of files before it shows to readers; call it before `start`."""
        self._others = others
        # However fresh the catalog is that somebody filled: what others are about to do, it does not know.
        self.ready.clear()

    async def settled(self, path: str, deadline_s: float) -> bool:
        """Have a file looked at and wait until it is whole.

        Args:
            path: Relative to the root.
            deadline_s: How long to wait at most, in seconds.

        Returns:
            Whether the catalog knows its present state now.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(path, []).append(future)
        self._touch({path})
        try:
            await asyncio.wait_for(future, deadline_s)
        except TimeoutError:
            return False
        return True

    def survey_soon(self) -> None:
        """Have the whole source looked at now."""
        self._survey_wanted = True
        self._wake.set()

    def look_soon(self, paths: set[str], settled: Mapping[str, str] = MappingProxyType({})) -> None:
        """Have files looked at now, as if the system had told that they changed.

        Args:
            paths: Relative to the root.
            settled: Portable versions of which another host has seen that they are whole, by path.
        """
        self._settled_elsewhere |= settled
        self._touch({path for path in paths if self._may_matter(path)})

    def _touch(self, paths: set[str]) -> None:
        self._dirty |= paths
        self._wake.set()

    async def _listen(self) -> None:
        while True:
            try:
                self.watching = True
                async for paths in self._source.watch():
                    self._touch({path for path in paths if self._may_matter(path)})
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - the watcher is foreign code; surveys stand in for it
                log.warning(
                    "watching the library failed, surveys go on every %.0f s: %s", self._rescan_s, error
                )
            self.watching = False
            await asyncio.sleep(_WATCH_RETRY_S)

    def _may_matter(self, path: str) -> bool:
        """Tell whether a change there can be one of the library: the work of git and editors is not.

        With links followed, a hidden directory may hold the files that are served (Kubernetes swaps
        `..data` to publish a new version).
        """
        return path == IGNORE_FILE or self._catalog.rules.follow_links or not is_hidden(path)

    async def _follow(self) -> None:
        await self._first_survey()
        while True:
            await self._sleep()
            try:
                await self._catch_up()
            except Exception:
                # Whatever it was, a catalog that is followed late is better than one that is not.
                log.exception("following the library failed, a survey will make up for it")
                self._plan(0.0)
                self._survey_wanted = True
                self._earliest_survey_s = monotonic() + _RETRY_S

    async def _catch_up(self) -> None:
        self._wake.clear()
        dirty, self._dirty = self._dirty, set()
        now_s = monotonic()
        self._survey_wanted |= self._concerns_all(dirty)
        if now_s >= self._survey_due_s():
            self._survey_wanted = False
            await self._survey()
        due = {path for path, pending in self._pending.items() if pending.due_s <= now_s}
        if dirty or due:
            await self._look_at(dirty | due)

    async def _sleep(self) -> None:
        due_s = min([self._survey_due_s(), *(pending.due_s for pending in self._pending.values())])
        try:
            async with asyncio.timeout(max(0.0, due_s - monotonic())):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _survey_due_s(self) -> float:
        return self._earliest_survey_s if self._survey_wanted else self._next_survey_s

    def _concerns_all(self, paths: set[str]) -> bool:
        """Tell whether single looks are not enough: rules, directories, files never seen."""
        return any(
            path in {RULES_FILE, IGNORE_FILE}
            or (self._catalog.document(path) is None and path not in self._pending)
            for path in paths
        )

    async def _first_survey(self) -> None:
        if self._others is not None:
            await self._others.join()
        while not self.ready.is_set():
            try:
                await self._follow_rules()
                found = await self._threads.run(
                    surveying.first_differences, self._source, self._judge.known()
                )
                await self._commit(await self._threads.run(self._judge.prepare, found.seen))
                self._plan(found.cost_s)
                if self._others is not None:
                    await self._others.joined(found.cost_s)
                self.ready.set()
            except SourceError as error:
                self.failed_surveys += 1
                log.warning(
                    "the library cannot be surveyed, trying again in %.0f s: %s", self._rescan_s, error
                )
                await asyncio.sleep(self._rescan_s)

    async def _survey(self) -> None:
        waiting = frozenset(self._waiting)
        try:
            await self._follow_rules()
            found = await self._threads.run(surveying.differences, self._source, self._judge.known())
        except SourceError as error:
            self.failed_surveys += 1
            self._plan(0.0)
            log.warning("the library cannot be surveyed, what is known stays: %s", error)
            return
        self._plan(found.cost_s)
        await self._believe(found.seen)
        self._release(waiting)

    async def _follow_rules(self) -> None:
        try:
            text = await self._threads.run(surveying.read_rules_text, self._root)
            if text == self._rules_text:
                return
            self._rules_text = text
            rules = await self._threads.run(surveying.rules_from, text, self._root)
        except InvalidLibrary as error:
            log.warning("the changed rules are not usable, the old ones stay: %s", error.message)
            return
        if rules.follow_links != self._catalog.rules.follow_links:
            log.warning("follow_links changed in %s; it takes effect at the next start", RULES_FILE)
        await self._commit(await self._threads.run(self._catalog.prepare_rules, rules))

    async def _look_at(self, paths: set[str]) -> None:
        seen = await self._threads.run(surveying.look, self._source, paths)
        for path in paths - seen.keys():
            # It cannot be looked at now; being due for ever, it would be looked at without a pause.
            self._pending.pop(path, None)
        # A document that is gone may have become a directory, whose files no event has named.
        self._survey_wanted |= any(
            entry is None and self._catalog.document(path) is not None for path, entry in seen.items()
        )
        await self._believe(seen)
        self._release(paths)

    async def _believe(self, seen: Mapping[str, SourceEntry | None]) -> None:
        """Adopt the changes that are whole, and wait for the others."""
        if not seen:
            return
        judged = await self._threads.run(self._judge.judge, seen, self._pending, self._settled_elsewhere)
        for path in judged.paths:
            self._pending.pop(path, None)
            self._settled_elsewhere.pop(path, None)
        self._pending |= judged.pending
        if judged.draft is not None:
            await self._agree_and_commit(judged)

    async def _agree_and_commit(self, judged: Judged) -> None:
        """Make a change, but for the part of it that is to wait."""
        assert judged.draft is not None
        due_s = {} if self._others is None else await self._others.agree(judged.draft)
        now_s, adopted = monotonic(), judged.adopted
        held = {
            path: Pending(adopted[path], now_s, due_s[path], now_s) for path in adopted.keys() & due_s.keys()
        }
        if not held:
            await self._commit(judged.draft)
            return
        self._pending |= held
        rest = {path: entry for path, entry in adopted.items() if path not in held}
        if rest or judged.captured:
            await self._commit(await self._threads.run(self._judge.prepare, rest, judged.captured))

    async def _commit(self, draft: Draft) -> None:
        """Have readers see a change, with turns of theirs in between where it is a large one."""
        for _ in self._catalog.commit_in_steps(draft):
            await asyncio.sleep(0)

    def _release(self, paths: Collection[str]) -> None:
        """Wake those who wait for files about which nothing is pending any more."""
        for path in [path for path in self._waiting if path in paths and path not in self._pending]:
            for future in self._waiting.pop(path):
                if not future.done():
                    future.set_result(None)

    def _plan(self, cost_s: float) -> None:
        pause_s = cost_s / MAX_SURVEY_SHARE
        self._earliest_survey_s = monotonic() + pause_s
        self._next_survey_s = monotonic() + max(self._rescan_s, pause_s)
