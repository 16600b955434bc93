"""The index follows the library, and its thread answers whoever asks, as an app has them."""

import asyncio
import os
from pathlib import Path

from choirbook.errors import SearchUnavailable
from choirbook.model import Content, Version
from choirbook.search.indexer import MAX_WAITING
from choirbook.search.service import SearchService
from tests.support.apps import Served, application, serving
from tests.support.searching import GUIDE_URI, hits, uris
from tests.support.sources import EIO, CountingSource, FailingSource
from tests.support.trees import plant, replace
from tests.support.waiting import eventually

FOLLOWED = {"watch": True, "rescan_s": 3.0}


async def test_the_index_follows_edits_additions_and_removals(guide: Path) -> None:
    async with serving(guide, **FOLLOWED) as served:
        assert await uris(served, "zebra") == [f"{GUIDE_URI}?section=fixtures"]
        replace(guide / "patterns/python/patterns-guide.md", "# Guide\n\n## Stripes\n\nAn okapi.\n")
        await eventually(lambda: _finds(served, "okapi", [f"{GUIDE_URI}?section=stripes"]))
        assert await uris(served, "zebra") == []
        (guide / "new.md").write_text("# New\n\nA quagga.\n")
        await eventually(lambda: _finds(served, "quagga", ["mcp://resources/files/new.md?section=new"]))
        (guide / "new.md").unlink()
        await eventually(lambda: _finds(served, "quagga", []))


async def _finds(served: Served, query: str, expected: list[str]) -> bool:
    return await uris(served, query) == expected


async def test_the_index_follows_a_change_of_the_rules(guide: Path) -> None:
    async with serving(guide, **FOLLOWED) as served:
        assert await uris(served, "zebra") == [f"{GUIDE_URI}?section=fixtures"]
        rules = '[[collection]]\ntype = "doc"\nuri = "mcp://resources/docs/{+path}"\nfiles = "{+path}"\n'
        replace(guide / "choirbook.toml", rules)
        uri = "mcp://resources/docs/patterns/python/patterns-guide.md?section=fixtures"
        await eventually(lambda: _finds(served, "zebra", [uri]))
        assert {hit.info.type for hit in await hits(served, "zebra", "doc")} == {"doc"}


async def test_of_two_files_of_one_uri_the_served_one_is_found(library: Path) -> None:
    plant(library, {"zzz/sdlc-core.md": "# Second\n\nzebra\n"})
    async with serving(library, **FOLLOWED) as served:
        assert await uris(served, "zebra") == []
        (library / "sdlc-core.md").unlink()
        await eventually(lambda: _finds(served, "zebra", ["mcp://resources/sdlc/core?section=second"]))


async def test_a_document_that_cannot_be_read_is_found_by_its_title(guide: Path) -> None:
    source = FailingSource(guide)
    async with serving(guide, source=source) as served:
        source.error = EIO
        assert await uris(served, "zebra") == []
        assert await uris(served, "guide") == [GUIDE_URI]


async def test_a_document_that_is_not_text_is_found_by_its_title(library: Path) -> None:
    plant(library, {"bad.md": b"# Title zebra\n\xff\n"})
    async with serving(library) as served:
        assert await uris(served, "pixel png") == ["mcp://resources/files/images/pixel.png"]
        assert await uris(served, "zebra") == ["mcp://resources/files/bad.md"]


class GatedSource(CountingSource):
    """Holds reads back until it is told to go on."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.passed, self.held = os.pipe()

    def read(self, path: str, version: Version) -> Content:
        os.read(self.passed, 1)
        return super().read(path, version)

    def let_pass(self, reads: int) -> None:
        os.write(self.held, b"x" * reads)


async def test_before_the_index_is_done_the_answer_says_so(guide: Path) -> None:
    source = GatedSource(guide)
    async with serving(guide, source=source) as served:
        searching = asyncio.create_task(served.app.search.search("zebra"))
        await eventually(lambda: served.app.search.waiting == 1)
        source.let_pass(1)
        assert not (await searching).complete
        source.let_pass(len(served.library.catalog))
        await eventually(lambda: served.app.search.is_complete)
        assert len(await hits(served, "zebra")) == 1


async def test_too_many_searches_at_once_are_refused(guide: Path) -> None:
    source = GatedSource(guide)
    async with serving(guide, source=source) as served:
        tasks = [asyncio.create_task(served.app.search.search("zebra")) for _ in range(MAX_WAITING + 3)]
        await eventually(lambda: sum(task.done() for task in tasks) == 3)
        source.let_pass(len(served.library.catalog))
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(outcome, SearchUnavailable) for outcome in outcomes) == 3
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == MAX_WAITING


async def test_a_search_whose_client_hung_up_harms_no_other(guide: Path) -> None:
    async with serving(guide) as served:
        first = asyncio.create_task(served.app.search.search("zebra"))
        await asyncio.sleep(0)
        first.cancel()
        assert len(await hits(served, "zebra")) == 1


async def test_many_searches_at_once_are_all_answered(guide: Path) -> None:
    async with serving(guide) as served:
        found = await asyncio.gather(*(hits(served, "zebra") for _ in range(40)))
        assert all(len(each) == 1 for each in found)


async def test_after_a_stop_it_can_be_started_again(guide: Path) -> None:
    async with serving(guide) as served:
        assert len(await hits(served, "zebra")) == 1
        await served.app.search.stop()
        await served.app.search.stop()
        assert len(await hits(served, "zebra")) == 1


async def test_an_app_that_was_never_searched_stops(guide: Path) -> None:
    app = await asyncio.to_thread(lambda: application(guide))
    assert isinstance(app.search, SearchService)
    await app.search.stop()
