from pathlib import Path

import pytest

from choirbook.http.search import MAX_QUERY_BYTES
from choirbook.search.query import MAX_CHARACTERS
from tests.support.apps import Served, serving
from tests.support.trees import plant


async def test_a_search_answers_with_sections_that_can_be_read(library: Path) -> None:
    plant(library, {"guide.md": "# Guide\n\n## Set up\n\nBring a zebra.\n"})
    async with serving(library) as served:
        response = await served.get("/mcp/search?q=zebra")
        assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
        assert response.headers["cache-control"] == "no-cache"
        document = response.json()
        (hit,) = document["results"]
        score = hit.pop("score")
        assert score > 2
        assert hit == {
            "uri": "mcp://resources/files/guide.md?section=set-up",
            "href": "/mcp/resources/files/guide.md?section=set-up",
            "document": "mcp://resources/files/guide.md",
            "documentTitle": "Guide",
            "section": "set-up",
            "title": "Set up",
            "headingPath": ["Guide", "Set up"],
            "snippet": "## Set up Bring a zebra.",
            "type": "file",
            "mimeType": "text/markdown",
            "size": 26,
            "tokens": 7,
        }
        assert (document["more"], document["complete"]) == (False, True)
        read = await served.get(hit["href"], accept="text/*")
        assert read.text == "## Set up\n\nBring a zebra.\n"


async def test_type_and_limit_restrict_the_results(served: Served) -> None:
    found = (await served.get("/mcp/search?q=core&type=pattern&limit=1")).json()
    assert [hit["type"] for hit in found["results"]] == ["pattern"]
    assert found["more"] is True


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("", "has no q"),
        ("q=", "has no word"),
        ("q=%22%28%29", "has no word"),
        ("q=%ff", "malformed"),
        ("q=core&type=none", "The types are: sdlc, pattern, template, file."),
        ("q=core&limit=0", "from 1 to 50"),
        ("q=core&limit=51", "from 1 to 50"),
        ("q=core&limit=x", "from 1 to 50"),
        (f"q={'x' * (MAX_CHARACTERS + 1)}", "1001 characters"),
        (f"q={'x' * MAX_QUERY_BYTES}", "too long"),
    ],
)
async def test_what_cannot_be_searched_for_is_refused_with_a_reason(
    served: Served, query: str, detail: str
) -> None:
    response = await served.get(f"/mcp/search?{query}")
    assert response.status_code == 400
    assert detail in response.json()["detail"]


@pytest.mark.parametrize(
    "query", ["core+AND", "%22core", "core*", "NEAR%28core%29", "title:core", "-core", "core%00"]
)
async def test_the_engines_syntax_is_taken_as_words(served: Served, query: str) -> None:
    response = await served.get(f"/mcp/search?q={query}")
    assert response.status_code == 200
    assert response.json()["results"]


async def test_the_head_of_a_search_has_no_body_and_no_other_method_is_known(served: Served) -> None:
    head = await served.client.head("/mcp/search?q=core")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 0
    assert (await served.client.post("/mcp/search?q=core")).status_code == 405


async def test_searches_are_counted_without_a_word_of_theirs(served: Served) -> None:
    await served.get("/mcp/search?q=zebracrossing")
    metrics = await served.metrics()
    assert "choirbook_search_latency_seconds_count 1.0" in metrics
    assert "zebracrossing" not in metrics
