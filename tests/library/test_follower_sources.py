"""Following goes on whatever a source does: fails, is slow, has nothing to tell."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

from choirbook.model import SourceEntry, SourceError, SourceProblem
from tests.support.apps import has, serving
from tests.support.sources import CountingSource, FailingSource
from tests.support.trees import plant, replace, sdlc_tree
from tests.support.waiting import eventually, never


async def test_a_root_that_cannot_be_listed_keeps_what_is_known(library: Path) -> None:
    source = FailingSource(library)
    async with serving(library, source=source, watch=False, rescan_s=0.02) as served:
        source.fails_list = True
        await eventually(lambda: served.library.follower.failed_scans >= 3)
        assert len(served.library.catalog) == len(sdlc_tree())
        source.fails_list = False
        plant(library, {"new.txt": "x"})
        await eventually(has(served, "mcp://resources/files/new.txt"))


class SickFile(CountingSource):
    """Lists a file that cannot be opened, as for want of descriptors or of permission."""

    def stat(self, path: str) -> SourceEntry:
        entry = super().stat(path)
        if path == "sick.md":
            raise SourceError("sick.md: Too many open files")
        return entry


async def test_a_file_that_cannot_be_looked_at_does_not_keep_the_follower_busy(library: Path) -> None:
    """A change waits to be looked at again, and no look at it succeeds."""
    source = SickFile(library)
    async with serving(library, source=source, watch=False, rescan_s=3600.0) as served:
        replace(library / "sick.md", "# New\n")
        served.library.follower.scan_soon()
        await eventually(lambda: source.stats > 0)
        await never(lambda: source.stats if source.stats > 20 else 0, for_s=0.5)


class BlindSource(CountingSource):
    """Cannot watch, as on a machine whose watches are used up."""

    async def watch(self) -> AsyncIterator[set[str]]:
        if self.stats >= 0:
            raise OSError(28, "inotify watch limit reached")
        yield set()


async def test_scans_stand_in_for_a_watcher_that_fails(library: Path) -> None:
    async with serving(library, source=BlindSource(library), watch=True, rescan_s=0.05) as served:
        plant(library, {"new.txt": "x"})
        await eventually(has(served, "mcp://resources/files/new.txt"))
        assert not served.library.follower.watching
        assert "choirbook_watch_up 0.0" in await served.metrics()


class FaultySource(CountingSource):
    """Meets a fault of its own once, which is no error that anybody expects."""

    faults = 1

    def list(self) -> tuple[list[SourceEntry], list[SourceProblem]]:
        if self.stats > 0 and self.faults > 0:
            self.faults -= 1
            raise ZeroDivisionError("a fault")
        return super().list()


async def test_following_goes_on_after_a_fault(library: Path) -> None:
    source = FaultySource(library)
    async with serving(library, source=source, watch=False, rescan_s=0.05) as served:
        await served.library.follower.settled("sdlc-core.md", 10.0)
        await eventually(lambda: source.faults == 0)
        plant(library, {"new.txt": "x"})
        await eventually(has(served, "mcp://resources/files/new.txt"))


class SlowListing(CountingSource):
    """Takes long to list, and counts its listings."""

    lists = 0

    def list(self) -> tuple[list[SourceEntry], list[SourceProblem]]:
        self.lists += 1
        time.sleep(0.05)  # what a listing costs is what is tested: there is nothing else to wait for
        return super().list()


async def test_a_scan_of_an_unchanged_library_describes_nothing(library: Path) -> None:
    source = SlowListing(library)
    async with serving(library, source=source, watch=False, rescan_s=0.01) as served:
        described, listed = source.heads, source.lists
        await eventually(lambda: source.lists >= listed + 2)
        assert described == len(sdlc_tree())
        assert (source.heads, source.reads, source.stats) == (described, 0, 0)
        assert served.library.catalog.generation == 1


async def test_a_library_that_is_slow_to_list_is_listed_less_often(library: Path) -> None:
    source = SlowListing(library)
    async with serving(library, source=source, watch=False, rescan_s=0.001) as served:
        await eventually(lambda: source.lists >= 3)
        plant(library, {"new.txt": "x"})
        listed = source.lists
        await eventually(has(served, "mcp://resources/files/new.txt"))
        assert source.lists - listed <= 3
