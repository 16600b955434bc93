from pathlib import Path

import pytest

from choirbook.mcp.tools.outline import MAX_SHOWN
from tests.support.apps import Served, serving
from tests.support.tools import call_tool, failure, text_of
from tests.support.trees import plant

GUIDE = "mcp://resources/files/guide.md"


@pytest.fixture
def library(library: Path) -> Path:
    return plant(
        library, {"guide.md": "# Guide\n\n## Naming\n\nNames.\n\n### Files\n\n## Testing\n\nTests.\n"}
    )


async def test_the_sections_of_a_document_come_in_order_with_their_sizes(served: Served, era: str) -> None:
    found = await call_tool(served, era, "outline", uri=GUIDE)
    sections = found["structuredContent"]["sections"]
    assert [(each["slug"], each["level"]) for each in sections] == [
        ("guide", 1),
        ("naming", 2),
        ("files", 3),
        ("testing", 2),
    ]
    text, link = found["content"]
    assert text["text"].startswith(f"Guide\n{GUIDE}\n")
    for each in sections:
        assert f"{each['title']} (section: {each['slug']}; {each['size']} bytes" in text["text"]
    assert link["uri"] == GUIDE


async def test_every_section_of_an_outline_is_read(served: Served, era: str) -> None:
    for each in (await call_tool(served, era, "outline", uri=GUIDE))["structuredContent"]["sections"]:
        read = (await call_tool(served, era, "read", uri=GUIDE, section=each["slug"]))["structuredContent"]
        assert (read["uri"], read["size"], read["tokens"]) == (each["uri"], each["size"], each["tokens"])
        assert each["title"] in read["text"]


async def test_a_section_has_the_outline_of_its_document(served: Served, era: str) -> None:
    whole = await call_tool(served, era, "outline", uri=GUIDE)
    assert await call_tool(served, era, "outline", uri=f"{GUIDE}?section=naming") == whole


async def test_a_document_without_sections_is_to_be_read_whole(served: Served, era: str) -> None:
    text = await text_of(served, era, "outline", uri="mcp://resources/files/images/pixel.png")
    assert "no sections" in text


async def test_an_endless_outline_is_cut(library: Path, era: str) -> None:
    plant(library, {"guide.md": "".join(f"# Heading {number}\n" for number in range(MAX_SHOWN + 5))})
    async with serving(library) as served:
        found = await call_tool(served, era, "outline", uri=GUIDE)
        assert len(found["structuredContent"]["sections"]) == MAX_SHOWN
        assert found["structuredContent"]["total"] == MAX_SHOWN + 5
        assert "5 more" in found["content"][0]["text"]


async def test_an_unknown_uri_is_an_error_of_the_tool(served: Served, era: str) -> None:
    assert "Resource not found" in await failure(served, era, "outline", uri="mcp://resources/nothing")
