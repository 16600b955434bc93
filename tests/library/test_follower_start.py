"""A server starts with what is known, or looks first, and finds what changed meanwhile."""

import asyncio
from pathlib import Path

from choirbook.catalog.catalog import Catalog
from choirbook.catalog.rules import default_rules
from choirbook.library.scanner import load_catalog
from choirbook.model import Source, SourceEntry, SourceProblem
from tests.support.apps import application, has, lacks, serving
from tests.support.sources import CountingSource, FailingSource
from tests.support.trees import ALL_MARKDOWN, CORE_URI, plant, replace, sdlc_tree
from tests.support.waiting import eventually


async def test_the_first_scan_is_tried_until_it_succeeds(library: Path) -> None:
    source = FailingSource(library)
    source.fails_list = True
    app = await asyncio.to_thread(lambda: application(library, source=source, watch=False, rescan_s=0.02))
    async with app.lifespan():
        await eventually(lambda: app.library.follower.failed_scans >= 2)
        assert not app.library.is_ready
        source.fails_list = False
        await eventually(lambda: app.library.is_ready)
        assert len(app.library.catalog) == len(sdlc_tree())


class FaultyStart(CountingSource):
    """Meets a fault in its first listing that is no error which anybody expects."""

    lists = 0

    def list(self) -> tuple[list[SourceEntry], list[SourceProblem]]:
        self.lists += 1
        if self.lists == 1:
            raise ZeroDivisionError("a fault")
        return super().list()


async def test_a_fault_in_the_first_scan_does_not_end_the_follower(library: Path) -> None:
    source = FaultyStart(library)
    app = await asyncio.to_thread(lambda: application(library, source=source, watch=False, rescan_s=0.02))
    async with app.lifespan():
        await eventually(lambda: app.library.follower.failed_scans == 1)
        assert "log" in app.library.follower.trouble
        await eventually(lambda: app.library.is_ready)
        plant(library, {"new.txt": "x"})
        await eventually(lambda: app.library.catalog.find("mcp://resources/files/new.txt") is not None)


async def test_rules_that_changed_between_opening_and_starting_take_effect(library: Path) -> None:
    """A worker that replaces a dead one starts with what the server knew when it was started."""
    app = await asyncio.to_thread(lambda: application(library, watch=False, rescan_s=0.05))
    plant(library, {"choirbook.toml": ALL_MARKDOWN})
    async with app.lifespan():
        await eventually(lambda: app.library.catalog.find("mcp://resources/notes/sdlc-core") is not None)


async def preloaded(source: Source) -> Catalog:
    """Return the catalog that a server fills before it starts its workers."""
    return (await asyncio.to_thread(load_catalog, source, default_rules("library")))[0]


async def test_a_catalog_that_was_just_filled_is_served_before_any_look(library: Path) -> None:
    source = FailingSource(library)
    catalog = await preloaded(source)
    source.fails_list = True
    app = await asyncio.to_thread(
        lambda: application(library, source=source, catalog=catalog, watch=False, rescan_s=0.02)
    )
    assert app.library.is_ready
    async with app.lifespan():
        await eventually(lambda: app.library.follower.failed_scans >= 2)
        assert app.library.is_ready
        assert app.library.find(CORE_URI).title == "The core"


async def test_what_changed_between_filling_and_starting_is_found_by_the_first_scan(library: Path) -> None:
    source = CountingSource(library)
    catalog = await preloaded(source)
    replace(library / "sdlc-core.md", "# Edited\n")
    plant(library, {"new.txt": "x"})
    (library / "patterns/go/patterns-core.md").unlink()
    described = source.heads
    async with serving(library, source=source, catalog=catalog, watch=False, rescan_s=3600.0) as served:
        await eventually(lambda: served.library.find(CORE_URI).title == "Edited")
        await eventually(has(served, "mcp://resources/files/new.txt"))
        await eventually(lacks(served, "mcp://resources/patterns/go/core"))
        assert source.heads - described == 2


async def test_new_rules_between_filling_and_starting_take_effect(library: Path) -> None:
    catalog = await preloaded(CountingSource(library))
    plant(library, {"choirbook.toml": ALL_MARKDOWN})
    async with serving(library, catalog=catalog, watch=False, rescan_s=3600.0) as served:
        await eventually(has(served, "mcp://resources/notes/sdlc-core"))
        assert lacks(served, CORE_URI)()


async def test_a_catalog_filled_long_ago_is_compared_before_it_is_served(library: Path) -> None:
    """As that of a worker which replaces a dead one is: it comes from the start of the server."""
    source = FailingSource(library)
    catalog = await preloaded(source)
    catalog.committed_s -= 3600.0
    replace(library / "sdlc-core.md", "# Edited\n")
    (library / "patterns/go/patterns-core.md").unlink()
    source.fails_list = True
    described = source.heads
    app = await asyncio.to_thread(
        lambda: application(library, source=source, catalog=catalog, watch=False, rescan_s=0.02)
    )
    async with app.lifespan():
        await eventually(lambda: app.library.follower.failed_scans >= 1)
        assert not app.library.is_ready
        source.fails_list = False
        await eventually(lambda: app.library.is_ready)
        assert app.library.find(CORE_URI).title == "Edited"
        assert app.library.catalog.find("mcp://resources/patterns/go/core") is None
        assert source.heads - described == 1
