import asyncio
import os
from pathlib import Path

import pytest

from carrel.errors import InvalidParams, SearchUnavailable
from carrel.model import Content, Version
from carrel.search.query import MAX_CHARACTERS
from carrel.search.searching import MAX_LIMIT, MAX_WAITING, Hit, Search
from tests.support.apps import Served, application, serving
from tests.support.sources import EIO, CountingSource, FailingSource
from tests.support.trees import plant, replace
from tests.support.waiting import eventually

GUIDE = "# Guide\n\n## Fixtures\n\nA fixture gives a test what it needs: zebra.\n\n## Other\n\nNothing.\n"
GUIDE_URI = "mcp://resources/patterns/python/guide"
FOLLOWED = {"watch": True, "rescan_s": 3.0}


@pytest.fixture
def guide(library: Path) -> Path:
    return plant(library, {"patterns/python/patterns-guide.md": GUIDE})


async def hits(served: Served, query: str, type_: str | None = None) -> list[Hit]:
    results = await served.app.search.search(query, type_)
    return list(results.hits)


async def uris(served: Served, query: str) -> list[str]:
    return [hit.uri for hit in await hits(served, query)]


async def test_a_hit_names_the_section_and_what_reading_it_takes(guide: Path) -> None:
    async with serving(guide) as served:
        results = await served.app.search.search("zebra fixture")
        (hit,) = results.hits
        assert (results.more, results.complete) == (False, True)
        assert hit.uri == f"{GUIDE_URI}?section=fixtures"
        assert (hit.slug, hit.title, hit.heading_path) == ("fixtures", "Fixtures", ("Guide", "Fixtures"))
        assert "zebra" in hit.snippet
        section = served.library.find(hit.uri)
        read = await served.get("/mcp/resources/patterns/python/guide?section=fixtures", accept="text/*")
        assert hit.size == len(read.content)
        assert hit.tokens == -(-hit.size // 4)
        assert served.library.find(section.uri).size == hit.size


async def test_the_index_is_not_built_until_somebody_searches(guide: Path) -> None:
    source = CountingSource(guide)
    async with serving(guide, source=source) as served:
        assert source.reads == 0
        assert not served.app.search.is_complete
        await hits(served, "zebra")
        assert source.reads == len(served.library.catalog)
        assert served.app.search.is_complete


async def test_it_can_be_built_ahead(guide: Path) -> None:
    async with serving(guide) as served:
        served.app.search.prepare()
        served.app.search.prepare()
        await eventually(lambda: served.app.search.is_complete)


async def test_an_alias_is_no_hit_of_its_own(guide: Path) -> None:
    async with serving(guide) as served:
        assert [hit.info.uri for hit in await hits(served, "guide fixtures")][:1] == [GUIDE_URI]
        assert all(hit.info.uri == hit.info.canonical_uri for hit in await hits(served, "python"))


async def test_a_type_restricts_the_hits_and_an_unknown_one_is_told_with_those_there_are(guide: Path) -> None:
    async with serving(guide) as served:
        assert {hit.info.type for hit in await hits(served, "core", "pattern")} == {"pattern"}
        with pytest.raises(InvalidParams, match="The types are: sdlc, pattern, template, file") as caught:
            await hits(served, "core", "none")
        assert caught.value.data == {"types": ["sdlc", "pattern", "template", "file"]}


@pytest.mark.parametrize("limit", [0, -1, MAX_LIMIT + 1])
async def test_a_limit_out_of_range_is_refused(guide: Path, limit: int) -> None:
    async with serving(guide) as served:
        with pytest.raises(InvalidParams, match="limit"):
            await served.app.search.search("core", limit=limit)


@pytest.mark.parametrize("query", ["", "???", "x" * (MAX_CHARACTERS + 1)])
async def test_a_query_that_cannot_be_used_starts_nothing(guide: Path, query: str) -> None:
    source = CountingSource(guide)
    async with serving(guide, source=source) as served:
        with pytest.raises(InvalidParams):
            await hits(served, query)
        assert source.reads == 0


async def test_that_there_are_more_is_told(library: Path) -> None:
    plant(library, {f"n{number}.txt": "zebra\n" for number in range(4)})
    async with serving(library) as served:
        results = await served.app.search.search("zebra", limit=3)
        assert (len(results.hits), results.more) == (3, True)
        assert not (await served.app.search.search("zebra", limit=4)).more


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
        replace(guide / "carrel.toml", rules)
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
    assert isinstance(app.search, Search)
    await app.search.stop()
