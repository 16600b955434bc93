"""Sections and outlines over HTTP and MCP: resources of their own, versioned with their document."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from choirbook.errors import ResourceNotFound, ResourceUnreadable
from choirbook.model import Form, Reading
from tests.support.apps import Served, serving
from tests.support.mcp import handshake, modern
from tests.support.sources import EIO, FailingSource
from tests.support.trees import plant, replace
from tests.support.waiting import eventually

GUIDE = "# Guide\n\nIntro.\n\n## Set up\n\nDo é.\n\n## Tear down\n\nUndo.\n\n### Later\n\nRest.\n"
SET_UP = "## Set up\n\nDo é.\n\n"
PATH = "/mcp/resources/patterns/python/guide"
URI = "mcp://resources/patterns/python/guide"
CALLS = {"handshake": handshake, "modern": modern}


@pytest.fixture
async def guide(library: Path) -> AsyncIterator[Served]:
    plant(library, {"patterns/python/patterns-guide.md": GUIDE})
    async with serving(library, watch=True) as served:
        yield served


async def test_a_section_is_read_alone_in_every_form(guide: Served) -> None:
    raw = await guide.get(f"{PATH}?section=set-up", accept="text/*")
    assert (raw.status_code, raw.text) == (200, SET_UP)
    assert raw.headers["content-type"] == "text/markdown; charset=utf-8"
    envelope = (await guide.get(f"{PATH}?section=set-up")).json()
    digest = hashlib.sha256(SET_UP.encode()).hexdigest()
    assert (envelope["uri"], envelope["title"], envelope["description"], envelope["content"]) == (
        f"{URI}?section=set-up",
        "Set up",
        "Guide > Set up",
        SET_UP,
    )
    assert (envelope["size"], envelope["tokens"]) == (len(SET_UP.encode()), 5)
    assert envelope["digest"] == f"sha256:{digest}"
    for call in CALLS.values():
        result = (await call(guide, "resources/read", uri=f"{URI}?section=set-up")).json()["result"]
        assert result["contents"] == [
            {
                "uri": f"{URI}?section=set-up",
                "mimeType": "text/markdown",
                "text": SET_UP,
                "_meta": {
                    "dev.choirbook/tokens": 5,
                    "dev.choirbook/etag": f'"{digest[:32]}"',
                    "dev.choirbook/digest": f"sha256:{digest}",
                },
            }
        ]


async def test_a_section_is_cached_has_an_etag_of_its_own_and_is_revalidated(guide: Served) -> None:
    first = await guide.get(f"{PATH}?section=set-up")
    assert (first.headers["x-cache"], (await guide.get(f"{PATH}?section=set-up")).headers["x-cache"]) == (
        "miss",
        "hit",
    )
    assert first.headers["etag"] != (await guide.get(PATH)).headers["etag"]
    again = await guide.get(f"{PATH}?section=set-up", if_none_match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    part = await guide.get(f"{PATH}?section=set-up&format=raw", range="bytes=3-8")
    assert (part.status_code, part.text) == (206, "Set up")
    head = await guide.client.head(f"{PATH}?section=set-up&format=raw")
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(SET_UP.encode())))


async def test_all_spellings_of_a_section_are_one_entry_of_the_cache(guide: Served) -> None:
    for wanted in ("set-up", "Set%20up", "SET+UP", "%23set-up"):
        response = await guide.get(f"{PATH}?section={wanted}")
        assert response.json()["uri"] == f"{URI}?section=set-up"
    assert len(guide.library.memory) == 1


async def test_a_section_is_read_by_the_alias_of_its_document_and_by_a_field_beside_it(guide: Served) -> None:
    for path in ("/mcp/resources/patterns/guide?section=set-up",
                 "/mcp/resources/patterns/guide?language=python&section=set-up&utm=1"):  # fmt: skip
        assert (await guide.get(path)).json()["uri"] == f"{URI}?section=set-up"


@pytest.mark.parametrize("known_before", [False, True])
async def test_an_unknown_section_is_told_with_those_there_are(guide: Served, known_before: bool) -> None:  # noqa: FBT001
    if known_before:
        await guide.get(f"{PATH}?section=set-up")
    response = await guide.get(f"{PATH}?section=none")
    assert response.status_code == 404
    problem = response.json()
    assert problem["title"] == "Section not found"
    assert problem["detail"].endswith("The sections are: guide, set-up, tear-down, later.")
    assert problem["sections"] == ["guide", "set-up", "tear-down", "later"]
    for call in CALLS.values():
        error = (await call(guide, "resources/read", uri=f"{URI}?section=none")).json()["error"]
        assert error["code"] == -32602
        assert "tear-down" in error["message"]


@pytest.mark.parametrize(
    "uri", [f"{URI}?language=go", f"{URI}?section=a&b=c", f"{URI}?section=%ff", f"{URI}?"]
)
async def test_another_query_is_refused_over_mcp(guide: Served, uri: str) -> None:
    for call in CALLS.values():
        error = (await call(guide, "resources/read", uri=uri)).json()["error"]
        assert error["code"] == -32602


async def test_a_section_of_what_is_not_there_is_not_found(guide: Served) -> None:
    assert (await guide.get("/mcp/resources/none?section=a")).status_code == 404
    with pytest.raises(ResourceNotFound):
        guide.library.find("mcp://resources/none?section=a")


async def test_an_edit_shows_in_the_section_and_in_the_outline(guide: Served) -> None:
    before = await guide.get(f"{PATH}?section=set-up")
    replace(
        guide.root / "patterns/python/patterns-guide.md", "# Guide\n\n## Set up\n\nOtherwise.\n\n## New\n"
    )
    text = "## Set up\n\nOtherwise.\n\n"
    after = await eventually(lambda: _with_text(guide, f"{PATH}?section=set-up&format=raw", text))
    assert after.headers["etag"] != before.headers["etag"]
    assert (await guide.get(f"{PATH}?section=new")).status_code == 200
    assert (await guide.get(f"{PATH}?section=later")).status_code == 404
    outline = (await guide.get(f"{PATH}?format=outline")).json()
    assert [section["slug"] for section in outline["sections"]] == ["guide", "set-up", "new"]


async def _with_text(served: Served, path: str, text: str) -> Any:
    response = await served.get(path)
    return response if response.text == text else None


async def test_a_change_that_nobody_told_of_is_found_by_the_read_of_a_section(library: Path) -> None:
    plant(library, {"guide.md": GUIDE})
    async with serving(library) as served:
        path = "/mcp/resources/files/guide.md"
        assert (await served.get(f"{path}?section=set-up&format=raw")).text == SET_UP
        replace(library / "guide.md", "# Guide\n\n## Later\n\nMore.\n")
        for form in ("raw", "json"):
            assert "More." in (await served.get(f"{path}?section=later&format={form}")).text
        replace(library / "guide.md", "# Guide\n")
        assert (await served.get(f"{path}?section=later&format=outline")).status_code == 400
        assert (await served.get(f"{path}?section=set-up")).status_code == 404
        (library / "guide.md").unlink()
        assert (await served.get(f"{path}?section=guide")).status_code == 404
        assert (await served.get(f"{path}?section=other")).status_code == 404


async def test_the_sections_of_a_document_that_is_gone_leave_memory(guide: Served) -> None:
    await guide.get(f"{PATH}?section=set-up")
    assert len(guide.library.memory) == 1
    (guide.root / "patterns/python/patterns-guide.md").unlink()
    await eventually(lambda: guide.library.catalog.find(URI) is None)
    assert (len(guide.library.memory), guide.library.memory.size_bytes) == (0, 0)


async def test_an_outline_lists_the_sections_with_what_reading_them_takes(guide: Served) -> None:
    response = await guide.get(f"{PATH}?format=outline", accept_encoding="gzip", accept="text/*")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    outline = response.json()
    size = len(GUIDE.encode())
    assert (outline["uri"], outline["title"], outline["size"], outline["tokens"], outline["href"]) == (
        URI,
        "Guide",
        size,
        -(-size // 4),
        PATH,
    )
    assert [section["slug"] for section in outline["sections"]] == ["guide", "set-up", "tear-down", "later"]
    assert outline["sections"][1] == {
        "slug": "set-up",
        "title": "Set up",
        "level": 2,
        "headingPath": ["Guide", "Set up"],
        "size": len(SET_UP.encode()),
        "tokens": 5,
        "uri": f"{URI}?section=set-up",
        "href": f"{PATH}?section=set-up",
    }
    for section in outline["sections"]:
        read = await guide.get(section["href"], accept="text/*")
        assert len(read.content) == section["size"]
    again = await guide.get(f"{PATH}?format=outline", if_none_match=response.headers["etag"])
    assert again.status_code == 304


async def test_a_picture_has_an_empty_outline_and_no_sections(served: Served) -> None:
    path = "/mcp/resources/files/images/pixel.png"
    assert (await served.get(f"{path}?format=outline")).json()["sections"] == []
    assert (await served.get(f"{path}?section=a")).status_code == 404


async def test_a_section_of_a_template_is_an_element(library: Path) -> None:
    section = '<section name="goal"><body>{{goal}}</body></section>'
    plant(
        library,
        {"templates/adr-template.xml": f'<template name="adr"><document>{section}</document></template>'},
    )
    async with serving(library) as served:
        response = await served.get("/mcp/resources/templates/adr-template?section=goal", accept="text/*")
        assert (response.text, response.headers["content-type"]) == (
            section,
            "application/xml; charset=utf-8",
        )


async def test_a_listing_tells_how_much_of_a_context_each_resource_takes(guide: Served) -> None:
    for item in (await guide.get("/mcp/resources")).json()["resources"]:
        assert item["tokens"] == -(-item["size"] // 4)


async def test_the_library_gives_the_outline_of_a_document(guide: Served) -> None:
    info = guide.library.find(URI)
    outline = await guide.library.outline(info)
    assert [section.title for section in outline.sections] == ["Guide", "Set up", "Tear down", "Later"]
    assert await guide.library.outline(info) is outline
    assert guide.library.find(f"{URI}?section=Set%20up").title == "Set up"


async def test_a_kept_section_is_read_without_an_await(guide: Served) -> None:
    loading = guide.library.read(guide.library.find(f"{URI}?section=set-up"), Form.RAW)
    assert not isinstance(loading, Reading)
    first = await loading
    second = guide.library.read(guide.library.find(f"{URI}?section=set-up"), Form.RAW)
    assert isinstance(second, Reading)
    assert second.representation is first.representation
    assert first.info.title == second.info.title == "Set up"


async def test_a_document_that_cannot_be_read_has_no_outline_to_give(library: Path) -> None:
    source = FailingSource(library)
    async with serving(library, source=source) as served:
        info = served.library.find("mcp://resources/sdlc/core")
        source.error = EIO
        with pytest.raises(ResourceUnreadable):
            await served.library.outline(info)
        assert (await served.get("/mcp/resources/sdlc/core?section=a")).status_code == 500


async def test_the_outline_of_a_document_that_changed_or_went_is_the_present_one(library: Path) -> None:
    async with serving(library) as served:
        info = served.library.find("mcp://resources/sdlc/core")
        replace(library / "sdlc-core.md", "# Anew\n")
        assert [section.title for section in (await served.library.outline(info)).sections] == ["Anew"]
        (library / "sdlc-core.md").unlink()
        with pytest.raises(ResourceNotFound):
            await served.library.outline(info)
