"""Keep the catalog true to the source: watch, look again, survey now and then.

One task does all looking, so two looks at one file never race. What is looked at is decided here; when a
survey is due, in `timetable`; what becomes of what was seen, in `adopting`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from time import monotonic
from types import MappingProxyType

from choirbook.catalog.catalog import Catalog
from choirbook.catalog.rules import RULES_FILE
from choirbook.library import scanner
from choirbook.library.adoption import Adopting, Others
from choirbook.library.changes import Judge
from choirbook.library.rules_file import Rulebook
from choirbook.library.schedule import RETRY_S, Timetable
from choirbook.model import Source, SourceError, SourceMisruled
from choirbook.runtime.tasks import end_tasks
from choirbook.runtime.threads import Threads
from choirbook.sources.ignore import is_hidden, is_ignore_file

log = logging.getLogger("choirbook.follower")

TRUE_FOR_S = 5.0
"""Age at which a catalog that somebody else filled is no longer served before it was compared."""

_WATCH_RETRY_S = 5.0


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
        self._threads = threads
        self._judge = Judge(source, catalog)
        self._adopting = Adopting(self._judge, catalog, threads)
        self._rescan_s = rescan_s
        self.is_watch_wanted = watch
        """Whether the system is asked to tell of changes."""
        self._rulebook = Rulebook(root, catalog.rules.text)
        self._dirty: set[str] = set()
        self._timetable = Timetable(rescan_s)
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.ready = asyncio.Event()
        """Set once the catalog holds a survey."""
        self.watching = False
        """Whether the system tells of changes now; without it, surveys find them."""
        self.failed_surveys = 0
        """Surveys that failed, since the start."""
        self.rule_faults: tuple[str, ...] = ()
        """Why rules as they are there now do not count, and those from before do; fit for clients."""
        self.trouble = ""
        """Why the first survey does not succeed, fit for clients."""
        # A worker that replaces a dead one has the catalog of when the server was started: too old.
        if monotonic() - catalog.committed_s < TRUE_FOR_S:
            self.ready.set()

    def start(self) -> None:
        """Begin to follow, on the running event loop."""
        self._tasks.append(asyncio.create_task(self._follow(), name="choirbook-follower"))
        if self.is_watch_wanted:
            self._tasks.append(asyncio.create_task(self._listen(), name="choirbook-watch"))

    async def stop(self) -> None:
        """End all tasks."""
        await end_tasks(*self._tasks)
        self._tasks.clear()

    def agree_with(self, others: Others) -> None:
        """Have others asked about each change of files before it shows to readers; call it before `start`."""
        self._adopting.others = others
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
        self._timetable.want()
        self._wake.set()

    def look_soon(self, paths: set[str], settled: Mapping[str, str] = MappingProxyType({})) -> None:
        """Have files looked at now, as if the system had told that they changed.

        Args:
            paths: Relative to the root.
            settled: Portable versions of which another host has seen that they are whole, by path.
        """
        self._adopting.trust(settled)
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
                    "watching the library failed, it is still scanned every %.0f s: %s", self._rescan_s, error
                )
            self.watching = False
            await asyncio.sleep(_WATCH_RETRY_S)

    def _may_matter(self, path: str) -> bool:
        """Tell whether a change there can be one of the library: the work of git and editors is not.

        With links followed, a hidden directory may hold the files that are served (Kubernetes swaps
        `..data` to publish a new version).
        """
        return is_ignore_file(path) or self._catalog.rules.follow_links or not is_hidden(path)

    async def _follow(self) -> None:
        while not self.ready.is_set():
            if not await self._survives(self._first_survey):
                await asyncio.sleep(RETRY_S)
        while True:
            await self._sleep()
            await self._survives(self._catch_up)

    async def _survives(self, step: Callable[[], Awaitable[None]]) -> bool:
        """Do something, and return whether it ended well."""
        try:
            await step()
        except Exception:
            # Whatever it was, a catalog that is followed late is better than one that is not.
            log.exception("following changes of the library failed, the next scan will find them")
            self.failed_surveys += 1
            self.trouble = "the library cannot be scanned; see the server's log for the reason"
            self._timetable.retry(monotonic())
            return False
        return True

    async def _catch_up(self) -> None:
        self._wake.clear()
        dirty, self._dirty = self._dirty, set()
        now_s = monotonic()
        if self._concerns_all(dirty):
            self._timetable.want()
        if now_s >= self._timetable.due_s:
            self._timetable.begin()
            await self._survey()
        due = self._adopting.due(now_s)
        if dirty or due:
            await self._look_at(dirty | due)

    async def _sleep(self) -> None:
        due_s = min(self._timetable.due_s, self._adopting.due_s)
        try:
            async with asyncio.timeout(max(0.0, due_s - monotonic())):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _concerns_all(self, paths: set[str]) -> bool:
        """Tell whether single looks are not enough: rules, directories, files never seen."""
        return any(
            path == RULES_FILE
            or is_ignore_file(path)
            or (self._catalog.document(path) is None and path not in self._adopting)
            for path in paths
        )

    async def _first_survey(self) -> None:
        others = self._adopting.others
        if others is not None:
            await others.join()
        while not self.ready.is_set():
            try:
                await self._follow_rules()
                found = await self._threads.run(scanner.first_differences, self._source, self._judge.known())
                await self._adopting.adopt_unasked(found.seen)
                self._timetable.end(monotonic(), found.cost_s)
                self._note_rules()
                if others is not None:
                    await others.joined(found.cost_s)
                self.ready.set()
            except SourceError as error:
                self.failed_surveys += 1
                is_misruled = isinstance(error, SourceMisruled)
                self.trouble = str(error) if is_misruled else "the library's directory cannot be listed"
                log.warning("the library cannot be scanned, retrying in %.0f s: %s", self._rescan_s, error)
                await asyncio.sleep(self._rescan_s)

    async def _survey(self) -> None:
        waiting = frozenset(self._waiting)
        try:
            await self._follow_rules()
            judged = await self._adopting.survey()
        except SourceError as error:
            self.failed_surveys += 1
            self._timetable.end(monotonic(), 0.0)
            log.warning("the library cannot be scanned, the last known state stays in force: %s", error)
            return
        self._timetable.end(monotonic(), judged.cost_s)
        self._note_rules()
        await self._adopting.adopt(judged)
        self._release(waiting)

    async def _follow_rules(self) -> None:
        rules = await self._threads.run(self._rulebook.look)
        self._note_rules()
        if rules is None:
            return
        if rules.follow_links != self._catalog.rules.follow_links:
            log.warning("follow_links changed in %s; it takes effect at the next start", RULES_FILE)
        await self._adopting.commit(await self._threads.run(self._catalog.prepare_rules, rules))

    def _note_rules(self) -> None:
        """Take note of rules that cannot be used, and come back to those that have not settled."""
        self._timetable.want_at(min(self._rulebook.due_s, self._source.due_s))
        faults = tuple(filter(None, (self._rulebook.fault, *self._source.rule_faults)))
        for fault in faults:
            if fault not in self.rule_faults:
                log.warning("changed rules cannot be used, the previous ones stay in force: %s", fault)
        if self.rule_faults and not faults:
            log.info("the library's rules are valid again")
        self.rule_faults = faults

    async def _look_at(self, paths: set[str]) -> None:
        judged = await self._adopting.look(paths)
        # A document that is gone may have become a directory, whose files no event has named.
        if judged.has_gone:
            self._timetable.want()
        await self._adopting.adopt(judged)
        self._release(paths)

    def _release(self, paths: Collection[str]) -> None:
        """Wake those who wait for files about which nothing is pending any more."""
        for path in [path for path in self._waiting if path in paths and path not in self._adopting]:
            for future in self._waiting.pop(path):
                if not future.done():
                    future.set_result(None)
