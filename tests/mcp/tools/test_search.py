from pathlib import Path

import pytest

from choirbook.search.query import MAX_CHARACTERS
from choirbook.search.service import MAX_LIMIT
from tests.support.apps import Served, serving
from tests.support.tools import call_tool, failure, text_of, tools
from tests.support.trees import plant
from tests.support.waiting import eventually

GUIDE = "# Guide\n\nIntro.\n\n## Zebras\n\nStripes are counted from the left.\n\n## Giraffes\n\nTall.\n"


@pytest.fixture
def library(library: Path) -> Path:
    return plant(library, {"guide.md": GUIDE})


async def test_a_section_is_found_with_its_uri_title_size_and_a_snippet(served: Served, era: str) -> None:
    found = await call_tool(served, era, "search", query="how are stripes counted?")
    (result,) = found["structuredContent"]["results"]
    assert result["uri"] == "mcp://resources/files/guide.md?section=zebras"
    assert (result["documentUri"], result["section"]) == ("mcp://resources/files/guide.md", "zebras")
    assert (result["title"], result["documentTitle"], result["type"]) == ("Zebras", "Guide", "file")
    assert "Stripes are counted" in result["snippet"]
    text, link = found["content"]
    for said in (result["uri"], "Zebras", f"{result['size']} bytes", result["snippet"], "Guide > "):
        assert said in text["text"]
    assert (link["type"], link["uri"], link["size"]) == ("resource_link", result["uri"], result["size"])


async def test_what_is_found_is_read_by_its_uri_or_by_document_and_section(served: Served, era: str) -> None:
    (hit,) = (await call_tool(served, era, "search", query="stripes"))["structuredContent"]["results"]
    read = await call_tool(served, era, "read", uri=hit["uri"])
    assert read["structuredContent"]["text"] == "## Zebras\n\nStripes are counted from the left.\n\n"
    assert read["structuredContent"]["size"] == hit["size"]
    assert await call_tool(served, era, "read", uri=hit["documentUri"], section=hit["section"]) == read


async def test_type_and_limit_narrow_the_results(served: Served, era: str) -> None:
    found = (await call_tool(served, era, "search", query="core", type="pattern"))["structuredContent"]
    assert {each["type"] for each in found["results"]} == {"pattern"}
    assert len(found["results"]) > 1
    first = await call_tool(served, era, "search", query="core", type="pattern", limit=1)
    assert first["structuredContent"]["results"] == found["results"][:1]
    assert first["structuredContent"]["hasMore"] is True
    assert "There are more" in first["content"][0]["text"]


async def test_nothing_found_says_what_to_do(served: Served, era: str) -> None:
    found = await call_tool(served, era, "search", query="qwertyuiop")
    assert found["structuredContent"] == {"results": [], "hasMore": False, "isComplete": True}
    assert "Try other or fewer words" in found["content"][0]["text"]


@pytest.mark.parametrize("query", ['"', "AND OR NOT", "a* NEAR(b)", "col:umn", "'; DROP TABLE x; --", "{x}"])
async def test_the_syntax_of_an_engine_is_words(served: Served, era: str, query: str) -> None:
    found = await served.client.get("/mcp/search", params={"q": query})
    if found.status_code == 200:
        await call_tool(served, era, "search", query=query)
    else:
        assert await failure(served, era, "search", query=query)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"query": ""}, "query"),
        ({"query": "x" * 100_000}, str(MAX_CHARACTERS)),
        ({"query": "x", "type": "patern"}, "pattern"),
        ({"query": "x", "limit": 0}, str(MAX_LIMIT)),
        ({"query": "x", "limit": MAX_LIMIT + 1}, str(MAX_LIMIT)),
    ],
)
async def test_what_cannot_be_searched_for_is_an_error_of_the_tool(
    served: Served, era: str, arguments: dict[str, object], complaint: str
) -> None:
    assert complaint in await failure(served, era, "search", **arguments)


async def test_listing_the_tools_has_the_index_built(served: Served, era: str) -> None:
    assert not served.app.search.is_complete
    await tools(served, era)
    await eventually(lambda: served.app.search.is_complete)


async def test_search_follows_the_library(library: Path, era: str) -> None:
    async with serving(library, rescan_s=0.05) as served:
        assert "Nothing" in await text_of(served, era, "search", query="okapi")
        plant(library, {"okapi.md": "# Okapi\n\nA shy okapi.\n"})

        async def is_found() -> bool:
            return "okapi.md" in await text_of(served, era, "search", query="okapi")

        await eventually(is_found)
