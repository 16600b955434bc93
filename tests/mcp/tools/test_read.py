from pathlib import Path

import pytest

from choirbook.documents.excerpts import MAX_PART_BYTES, MAX_PART_TOKENS
from tests.support.apps import Served, serving
from tests.support.mcp import result
from tests.support.sources import CountingSource
from tests.support.tools import call_tool, failure, text_of
from tests.support.trees import CORE as CORE_TEXT
from tests.support.trees import GO_CORE, plant, replace
from tests.support.waiting import eventually

CORE = "mcp://resources/sdlc/core"
GO = "mcp://resources/patterns/go/core"
GUIDE = "# Guide\n\nIntro.\n\n## Naming\n\nNames.\n\n## Testing\n\nTests.\n" + "More of it, naïvely.\n" * 100


@pytest.fixture
def library(library: Path) -> Path:
    return plant(library, {"guide.md": GUIDE})


async def test_a_document_is_read_whole_with_its_uri_title_and_size(served: Served, era: str) -> None:
    found = await call_tool(served, era, "read", uri=CORE)
    text, link = found["content"]
    assert text["text"].endswith(CORE_TEXT)
    for said in (CORE, "The core", f"{len(CORE_TEXT)} bytes"):
        assert said in text["text"]
    assert (link["type"], link["uri"]) == ("resource_link", CORE)
    assert found["structuredContent"]["text"] == CORE_TEXT


async def test_what_is_read_is_what_resources_read_gives(served: Served, era: str) -> None:
    for info in served.library.catalog.infos():
        (contents,) = (await result(served, era, "resources/read", uri=info.uri))["contents"]
        read = (await call_tool(served, era, "read", uri=info.uri))["structuredContent"]
        assert (read["uri"], read["mimeType"]) == (contents["uri"], contents["mimeType"])
        assert read.get("text") == contents.get("text")


async def test_a_section_is_read_by_its_slug_its_heading_or_its_uri(served: Served, era: str) -> None:
    uri = "mcp://resources/files/guide.md"
    by_slug = await call_tool(served, era, "read", uri=uri, section="naming")
    assert by_slug["structuredContent"]["text"] == "## Naming\n\nNames.\n\n"
    assert by_slug["structuredContent"]["uri"] == f"{uri}?section=naming"
    assert await call_tool(served, era, "read", uri=uri, section="Naming") == by_slug
    assert await call_tool(served, era, "read", uri=f"{uri}?section=naming") == by_slug
    assert await call_tool(served, era, "read", uri=f"{uri}?section=testing", section="naming") == by_slug


async def test_an_unknown_section_is_answered_with_those_there_are(served: Served, era: str) -> None:
    for _ in range(2):  # before and after the document was looked through
        message = await failure(served, era, "read", uri="mcp://resources/files/guide.md", section="nameing")
        assert "'nameing'" in message
        assert "guide, naming, testing" in message


async def test_a_document_is_read_in_parts_to_its_end(served: Served, era: str) -> None:
    read, cursor, calls = "", None, 0
    while cursor is not None or not calls:
        arguments = {"uri": GO, "max_tokens": 200, **({"cursor": cursor} if cursor else {})}
        part = (await call_tool(served, era, "read", **arguments))["structuredContent"]
        assert len(part["text"].encode()) <= 800
        read, cursor, calls = read + part["text"], part.get("nextCursor"), calls + 1
    assert read == GO_CORE
    assert calls > 5


async def test_a_part_ends_at_the_end_of_a_line(served: Served, era: str) -> None:
    part = await call_tool(
        served, era, "read", uri="mcp://resources/files/guide.md", section="testing", max_tokens=50
    )
    assert part["structuredContent"]["text"].endswith("naïvely.\n")
    on = part["structuredContent"]
    again = await call_tool(served, era, "read", uri=on["uri"], cursor=on["nextCursor"])
    assert again["structuredContent"]["text"].startswith("More of it")
    assert on["text"] + again["structuredContent"]["text"] == GUIDE[GUIDE.index("## Testing") :]


async def test_a_document_that_fits_is_not_cut(served: Served, era: str) -> None:
    whole = await call_tool(served, era, "read", uri=CORE)
    assert await call_tool(served, era, "read", uri=CORE, max_tokens=50) == whole
    assert await call_tool(served, era, "read", uri=CORE, max_tokens=10**9) == whole


async def test_a_very_long_document_comes_in_parts_though_nobody_asked(library: Path, era: str) -> None:
    line = "0123456789abcde\n"
    plant(library, {"long.txt": line * (MAX_PART_BYTES // len(line) + 10)})
    async with serving(library) as served:
        uri = "mcp://resources/files/long.txt"
        first = (await call_tool(served, era, "read", uri=uri))["structuredContent"]
        assert len(first["text"]) <= MAX_PART_BYTES
        rest = (await call_tool(served, era, "read", uri=uri, cursor=first["nextCursor"]))[
            "structuredContent"
        ]
        assert first["size"] == first["end"] + len(rest["text"])
        assert await call_tool(served, era, "read", uri=uri, max_tokens=MAX_PART_TOKENS)


async def test_a_cursor_is_refused_when_the_document_has_changed(library: Path, era: str) -> None:
    async with serving(library, rescan_s=0.05) as served:
        part = (await call_tool(served, era, "read", uri=GO, max_tokens=50))["structuredContent"]
        replace(library / "patterns/go/patterns-core.md", GO_CORE + "New.\n")

        async def is_new() -> bool:
            return "New." in await text_of(served, era, "read", uri=GO)

        await eventually(is_new)
        message = await failure(served, era, "read", uri=GO, cursor=part["nextCursor"])
        assert "has changed" in message
        assert "Start again" in message


async def test_a_cursor_is_refused_with_another_document(served: Served, era: str) -> None:
    part = (await call_tool(served, era, "read", uri=GO, max_tokens=50))["structuredContent"]
    assert "does not match" in await failure(served, era, "read", uri=CORE, cursor=part["nextCursor"])
    assert "not issued by this server" in await failure(served, era, "read", uri=CORE, cursor="nonsense")


async def test_an_unknown_uri_is_answered_with_the_nearest(served: Served, era: str) -> None:
    message = await failure(served, era, "read", uri="mcp://resources/sdlc/kore")
    assert "Did you mean mcp://resources/sdlc/core?" in message
    assert "has no scheme" in await failure(served, era, "read", uri="sdlc/core")


async def test_too_few_tokens_are_refused(served: Served, era: str) -> None:
    for tokens in (0, -1, 49):
        assert "at least 50" in await failure(served, era, "read", uri=CORE, max_tokens=tokens)


async def test_an_image_is_shown_and_linked(served: Served, era: str) -> None:
    found = await call_tool(served, era, "read", uri="mcp://resources/files/images/pixel.png")
    assert [item["type"] for item in found["content"]] == ["text", "image", "resource_link"]


async def test_the_second_read_is_a_hit_and_touches_no_file(library: Path, era: str) -> None:
    source = CountingSource(library)
    async with serving(library, source=source) as served:
        # Without listing the tools, which has the index of the search built: that reads as well.
        for _ in range(2):
            await result(served, era, "tools/call", name="read", arguments={"uri": CORE})
        assert source.reads == 1
        metrics = await served.metrics()
        assert 'mcp_resource_cache_hits_total{resource_type="sdlc"} 1.0' in metrics
        assert 'mcp_resource_cache_misses_total{resource_type="sdlc"} 1.0' in metrics


async def test_a_failed_read_is_counted(served: Served, era: str) -> None:
    await failure(served, era, "read", uri="mcp://resources/nothing")
    assert 'mcp_resource_failed_reads_total{reason="ResourceNotFound"} 1.0' in await served.metrics()
