from pathlib import Path

import pytest

from choirbook.errors import InvalidParams
from choirbook.search.query import MAX_CHARACTERS
from choirbook.search.service import MAX_LIMIT
from tests.support.apps import serving
from tests.support.searching import GUIDE_URI, hits
from tests.support.sources import CountingSource
from tests.support.trees import plant
from tests.support.waiting import eventually


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
