"""Keep the catalog consistent with the source: watch, look again, scan periodically.

One task looks at the source, so two looks at one file never race. This module decides what to look at;
`scan_schedule` decides when a scan is due, `change_detector` finds the changes, and `catalog_updater` applies
them.
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
from choirbook.library.catalog_updater import CatalogUpdater, OtherWorkers
from choirbook.library.change_detector import ChangeDetector
from choirbook.library.rules_file import RulesFile
from choirbook.library.scan_schedule import RETRY_S, ScanSchedule
from choirbook.model import Source, SourceError, SourceMisruled
from choirbook.runtime.tasks import end_tasks
from choirbook.runtime.threads import Threads
from choirbook.sources.ignore_rules import is_hidden, is_ignore_file

log = logging.getLogger("choirbook.follower")

TRUE_FOR_S = 5.0
"""Age in seconds from which a catalog filled by another process is not served before it was compared."""

_WATCH_RETRY_S = 5.0


class Follower:
    """Follows the changes of a source.

    Args:
        source: Source to follow.
        catalog: Catalog to keep up to date. If it was filled a moment ago, it is served at once, and the
            first scan describes only the differences.
        root: Directory of the library, for its rules.
        threads: Run blocking calls.
        rescan_s: Pause between scans, in seconds.
        watch: Whether to use file system notifications.
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
        self._detector = ChangeDetector(source, catalog)
        self._updater = CatalogUpdater(self._detector, catalog, threads)
        self._rescan_s = rescan_s
        self.is_watch_wanted = watch
        """Whether file system notifications are requested."""
        self._rules_file = RulesFile(root, catalog.rules.text)
        self._dirty: set[str] = set()
        self._schedule = ScanSchedule(rescan_s)
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.ready = asyncio.Event()
        """Set when the catalog holds a scan."""
        self.watching = False
        """Whether the system reports changes now; otherwise scans find them."""
        self.failed_scans = 0
        """Number of failed scans since the start."""
        self.rule_faults: tuple[str, ...] = ()
        """Reasons why the present rules are not in force, and previous ones are; fit for clients."""
        self.trouble = ""
        """Reason why the first scan fails; fit for clients."""
        # A worker that replaces a dead one has the catalog of the server's start: too old.
        if monotonic() - catalog.committed_s < TRUE_FOR_S:
            self.ready.set()

    def start(self) -> None:
        """Start to follow, on the running event loop."""
        self._tasks.append(asyncio.create_task(self._follow(), name="choirbook-follower"))
        if self.is_watch_wanted:
            self._tasks.append(asyncio.create_task(self._listen(), name="choirbook-watch"))

    async def stop(self) -> None:
        """End all tasks."""
        await end_tasks(*self._tasks)
        self._tasks.clear()

    def coordinate_with(self, other_workers: OtherWorkers) -> None:
        """Ask others about each change of files before readers see it; call it before `start`."""
        self._updater.other_workers = other_workers
        # However fresh the other process's catalog is, it lacks the changes that others have announced.
        self.ready.clear()

    async def settled(self, path: str, deadline_s: float) -> bool:
        """Look at a file and wait until it has settled.

        Args:
            path: Relative to the root.
            deadline_s: Maximum wait, in seconds.

        Returns:
            Whether the catalog has the file's present state now.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(path, []).append(future)
        self._touch({path})
        try:
            await asyncio.wait_for(future, deadline_s)
        except TimeoutError:
            return False
        return True

    def scan_soon(self) -> None:
        """Request a scan of the whole source now."""
        self._schedule.want()
        self._wake.set()

    def look_soon(self, paths: set[str], settled: Mapping[str, str] = MappingProxyType({})) -> None:
        """Look at files now, as if the system had reported that they changed.

        Args:
            paths: Relative to the root.
            settled: Portable versions that another host has seen settle, by path.
        """
        self._updater.trust(settled)
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
            except Exception as error:  # noqa: BLE001 - the watcher is foreign code; scans replace it
                log.warning(
                    "watching the library failed, it is still scanned every %.0f s: %s", self._rescan_s, error
                )
            self.watching = False
            await asyncio.sleep(_WATCH_RETRY_S)

    def _may_matter(self, path: str) -> bool:
        """Return whether a change there can affect the library: the files of git and editors cannot.

        If links are followed, a hidden directory may hold the files that are served (Kubernetes swaps
        `..data` to publish a new version).
        """
        return is_ignore_file(path) or self._catalog.rules.follow_links or not is_hidden(path)

    async def _follow(self) -> None:
        while not self.ready.is_set():
            if not await self._survives(self._first_scan):
                await asyncio.sleep(RETRY_S)
        while True:
            await self._sleep()
            await self._survives(self._catch_up)

    async def _survives(self, step: Callable[[], Awaitable[None]]) -> bool:
        """Run a step, and return whether it succeeded."""
        try:
            await step()
        except Exception:
            # Whatever the error, a catalog that is updated late is better than one that is not updated.
            log.exception("following changes of the library failed, the next scan will find them")
            self.failed_scans += 1
            self.trouble = "the library cannot be scanned; see the server's log for the reason"
            self._schedule.retry(monotonic())
            return False
        return True

    async def _catch_up(self) -> None:
        self._wake.clear()
        dirty, self._dirty = self._dirty, set()
        now_s = monotonic()
        if self._concerns_all(dirty):
            self._schedule.want()
        if now_s >= self._schedule.due_s:
            self._schedule.begin()
            await self._scan()
        due = self._updater.due(now_s)
        if dirty or due:
            await self._look_at(dirty | due)

    async def _sleep(self) -> None:
        due_s = min(self._schedule.due_s, self._updater.due_s)
        try:
            async with asyncio.timeout(max(0.0, due_s - monotonic())):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _concerns_all(self, paths: set[str]) -> bool:
        """Return whether looks at single files are not enough: rules, directories, files never seen."""
        return any(
            path == RULES_FILE
            or is_ignore_file(path)
            or (self._catalog.document(path) is None and path not in self._updater)
            for path in paths
        )

    async def _first_scan(self) -> None:
        other_workers = self._updater.other_workers
        if other_workers is not None:
            await other_workers.join()
        while not self.ready.is_set():
            try:
                await self._follow_rules()
                found = await self._threads.run(
                    scanner.first_differences, self._source, self._detector.known()
                )
                await self._updater.apply_first(found.seen)
                self._schedule.end(monotonic(), found.cost_s)
                self._note_rules()
                if other_workers is not None:
                    await other_workers.joined(found.cost_s)
                self.ready.set()
            except SourceError as error:
                self.failed_scans += 1
                is_misruled = isinstance(error, SourceMisruled)
                self.trouble = str(error) if is_misruled else "the library's directory cannot be listed"
                log.warning("the library cannot be scanned, retrying in %.0f s: %s", self._rescan_s, error)
                await asyncio.sleep(self._rescan_s)

    async def _scan(self) -> None:
        waiting = frozenset(self._waiting)
        try:
            await self._follow_rules()
            detected = await self._updater.scan()
        except SourceError as error:
            self.failed_scans += 1
            self._schedule.end(monotonic(), 0.0)
            log.warning("the library cannot be scanned, the last known state stays in force: %s", error)
            return
        self._schedule.end(monotonic(), detected.cost_s)
        self._note_rules()
        await self._updater.apply(detected)
        self._release(waiting)

    async def _follow_rules(self) -> None:
        rules = await self._threads.run(self._rules_file.look)
        self._note_rules()
        if rules is None:
            return
        if rules.follow_links != self._catalog.rules.follow_links:
            log.warning("follow_links changed in %s; it takes effect at the next start", RULES_FILE)
        await self._updater.commit(await self._threads.run(self._catalog.prepare_rules, rules))

    def _note_rules(self) -> None:
        """Publish rules that cannot be used, and schedule a look at those that have not settled."""
        self._schedule.want_at(min(self._rules_file.due_s, self._source.due_s))
        faults = tuple(filter(None, (self._rules_file.fault, *self._source.rule_faults)))
        for fault in faults:
            if fault not in self.rule_faults:
                log.warning("changed rules cannot be used, the previous ones stay in force: %s", fault)
        if self.rule_faults and not faults:
            log.info("the library's rules are valid again")
        self.rule_faults = faults

    async def _look_at(self, paths: set[str]) -> None:
        detected = await self._updater.look(paths)
        # A deleted document may have become a directory, whose files no event has named.
        if detected.has_gone:
            self._schedule.want()
        await self._updater.apply(detected)
        self._release(paths)

    def _release(self, paths: Collection[str]) -> None:
        """Wake the readers that wait for files without pending changes."""
        for path in [path for path in self._waiting if path in paths and path not in self._updater]:
            for future in self._waiting.pop(path):
                if not future.done():
                    future.set_result(None)
