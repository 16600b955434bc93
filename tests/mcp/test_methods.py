from pathlib import Path

import pytest

from choirbook import __version__
from choirbook.catalog.cursors import encode_cursor
from choirbook.mcp.listings import MAX_READY_PAGES
from choirbook.mcp.revisions import HANDSHAKE, NEWEST_HANDSHAKE, SERVED
from tests.support.apps import Served, serving
from tests.support.mcp import handshake, result
from tests.support.trees import plant
from tests.support.waiting import eventually

SERVER = {"name": "choirbook", "version": __version__}
CAPABILITIES: dict[str, dict[str, bool]] = {
    "resources": {"subscribe": True, "listChanged": True},
    "prompts": {},
    "completions": {},
    "tools": {},
}


@pytest.mark.parametrize(
    ("requested", "settled"),
    [*((each, each) for each in HANDSHAKE), ("2099-01-01", NEWEST_HANDSHAKE), ("", NEWEST_HANDSHAKE)],
)
async def test_initialize_settles_the_revision(served: Served, requested: str, settled: str) -> None:
    found = await result(served, "handshake", "initialize", protocolVersion=requested, capabilities={})
    assert found["protocolVersion"] == settled
    assert found["capabilities"] == CAPABILITIES
    assert found["serverInfo"] == SERVER
    assert found["instructions"]


async def test_initialize_needs_a_revision(served: Served) -> None:
    assert (await handshake(served, "initialize")).json()["error"]["code"] == -32602


async def test_ping_is_answered(served: Served) -> None:
    assert await result(served, "handshake", "ping") == {}


async def test_discover_tells_every_revision(served: Served) -> None:
    found = await result(served, "modern", "server/discover")
    assert found["supportedVersions"] == list(SERVED)
    assert found["capabilities"] == CAPABILITIES
    assert found["instructions"]


async def test_a_listed_resource_tells_all_about_itself(served: Served, era: str) -> None:
    listed = (await result(served, era, "resources/list"))["resources"]
    (item,) = [item for item in listed if item["uri"] == "mcp://resources/patterns/python/core"]
    assert item.pop("annotations")["lastModified"].endswith("Z")
    assert item == {
        "uri": "mcp://resources/patterns/python/core",
        "name": "patterns/python/core",
        "title": "Python core",
        "description": "The daily bread.",
        "mimeType": "text/markdown",
        "size": (served.root / "patterns/python/patterns-core.md").stat().st_size,
        "_meta": {"dev.choirbook/tokens": 19},
    }
    (bare,) = [item for item in listed if item["mimeType"] == "image/png"]
    assert "description" not in bare


@pytest.mark.parametrize("page_size", [1, 2, 5, 100])
async def test_the_pages_hold_every_resource_once(library: Path, era: str, page_size: int) -> None:
    async with serving(library, page_size=page_size) as served:
        walked: list[str] = []
        params: dict[str, str] = {}
        while True:
            page = await result(served, era, "resources/list", **params)
            assert len(page["resources"]) <= page_size
            walked += [item["uri"] for item in page["resources"]]
            if "nextCursor" not in page:
                break
            params = {"cursor": page["nextCursor"]}
        assert walked == sorted(set(walked))
        assert len(walked) == 5


async def test_every_listed_resource_is_read(served: Served, era: str) -> None:
    for item in (await result(served, era, "resources/list"))["resources"]:
        (content,) = (await result(served, era, "resources/read", uri=item["uri"]))["contents"]
        assert (content["uri"], content["mimeType"]) == (item["uri"], item["mimeType"])


async def test_an_alias_is_read_under_its_own_uri(served: Served, era: str) -> None:
    uri = "mcp://resources/patterns/core"
    (content,) = (await result(served, era, "resources/read", uri=uri))["contents"]
    assert content["uri"] == uri


async def test_a_uri_is_read_in_any_spelling(served: Served, era: str) -> None:
    (content,) = (await result(served, era, "resources/read", uri="MCP://resources/%73dlc/core"))["contents"]
    assert content["uri"] == "mcp://resources/sdlc/core"


async def test_templates_are_listed_once(served: Served, era: str) -> None:
    templates = (await result(served, era, "resources/templates/list"))["resourceTemplates"]
    assert [template["uriTemplate"] for template in templates] == [
        "mcp://resources/patterns/{language}/{name}",
        "mcp://resources/templates/{artifact}-template",
        "mcp://resources/files/{+path}",
    ]
    assert [template["name"] for template in templates] == ["pattern", "template", "file"]
    cursor = (await result(served, era, "resources/list"))["resources"][0]["uri"]
    last = await result(served, era, "resources/templates/list", cursor=encode_cursor(cursor))
    assert last == {"resourceTemplates": []}


async def test_a_page_that_is_kept_ready_is_not_served_after_a_change(library: Path, era: str) -> None:
    async with serving(library, rescan_s=0.05) as served:
        before = await result(served, era, "resources/list")
        assert await result(served, era, "resources/list") == before
        plant(library, {"new.txt": "x"})
        await eventually(lambda: served.library.catalog.find("mcp://resources/files/new.txt"))
        after = await result(served, era, "resources/list")
        assert len(after["resources"]) == len(before["resources"]) + 1


async def test_a_walk_through_more_pages_than_are_kept_ready(tmp_path: Path) -> None:
    names = [f"{number:03}.txt" for number in range(MAX_READY_PAGES + 10)]
    async with serving(plant(tmp_path, dict.fromkeys(names, "x")), page_size=1) as served:
        for _ in range(2):
            params: dict[str, str] = {}
            walked = 0
            while True:
                page = await result(served, "handshake", "resources/list", **params)
                walked += len(page["resources"])
                if "nextCursor" not in page:
                    break
                params = {"cursor": page["nextCursor"]}
            assert walked == len(names)
