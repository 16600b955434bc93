from pathlib import Path

from choirbook.mcp.tools.list import PAGE_SIZE
from tests.support.apps import Served, serving
from tests.support.mcp import result
from tests.support.tools import call_tool, failure, text_of
from tests.support.trees import plant
from tests.support.waiting import eventually


async def test_every_document_is_listed_as_text_as_link_and_for_programs(served: Served, era: str) -> None:
    found = await call_tool(served, era, "list")
    text, *links = found["content"]
    documents = found["structuredContent"]["documents"]
    resources = (await result(served, era, "resources/list"))["resources"]
    assert [each["uri"] for each in documents] == [each["uri"] for each in resources]
    assert [each["uri"] for each in links] == [each["uri"] for each in resources]
    assert found["structuredContent"]["total"] == len(resources)
    for each in resources:
        assert f"{each['title']}\n{each['uri']}\n{each['size']:,} bytes" in text["text"]
        assert each.get("description", "") in text["text"]


async def test_types_and_prefixes_narrow_the_list(served: Served, era: str) -> None:
    async def uris(**arguments: str) -> list[str]:
        found = await call_tool(served, era, "list", **arguments)
        listed = [each["uri"] for each in found["structuredContent"]["documents"]]
        assert found["structuredContent"]["total"] == len(listed)
        return listed

    go, python = "mcp://resources/patterns/go/core", "mcp://resources/patterns/python/core"
    assert await uris(type="pattern") == [go, python]
    assert await uris(prefix="patterns/p") == [python]
    assert await uris(prefix="/patterns/") == [go, python]
    assert await uris(prefix="mcp://resources/patterns/go") == [go]
    assert await uris(type="template", prefix="patterns/") == []
    assert len(await uris(prefix="mcp://resources")) == 5


async def test_a_prefix_may_be_written_with_its_blanks(library: Path, era: str) -> None:
    plant(library, {"notes/read me.md": "# Read me\n", "notes/read.md": "# Read\n"})
    async with serving(library) as served:
        for prefix in ("files/notes/read me", "files/notes/read%20me"):
            found = await call_tool(served, era, "list", prefix=prefix)
            assert found["structuredContent"]["total"] == 1


async def test_a_long_list_comes_in_pages(tmp_path: Path, era: str) -> None:
    count = 2 * PAGE_SIZE + 1
    plant(tmp_path, {f"n/{number:03}.txt": "x" for number in range(count)} | {"z.txt": "x"})
    async with serving(tmp_path) as served:
        walked: list[str] = []
        arguments = {"prefix": "files/n/"}
        while True:
            page = (await call_tool(served, era, "list", **arguments))["structuredContent"]
            assert page["total"] == count
            walked += [each["uri"] for each in page["documents"]]
            if "nextCursor" not in page:
                break
            assert page["nextCursor"] in await text_of(served, era, "list", **arguments)
            arguments["cursor"] = page["nextCursor"]
        assert walked == sorted(set(walked))
        assert len(walked) == count


async def test_what_is_not_there_is_answered_with_what_is(served: Served, era: str) -> None:
    message = await failure(served, era, "list", type="patern")
    assert "'patern'" in message
    assert "sdlc, pattern, template, file" in message
    text = await text_of(served, era, "list", prefix="standards/")
    assert "mcp://resources/patterns/" in text
    assert "cursor" in await failure(served, era, "list", cursor="bm9uc2Vuc2U")
    assert "longer than" in await failure(served, era, "list", prefix="x" * 3000)


async def test_the_list_follows_the_library(library: Path, era: str) -> None:
    async with serving(library, rescan_s=0.05) as served:
        assert "new.txt" not in await text_of(served, era, "list")
        plant(library, {"new.txt": "x"})

        async def is_listed() -> bool:
            return "mcp://resources/files/new.txt" in await text_of(served, era, "list")

        await eventually(is_listed)
