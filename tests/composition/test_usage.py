import asyncio
from pathlib import Path

from tests.support.apps import has, serving
from tests.support.trees import CORE_URI, plant
from tests.support.waiting import eventually


async def test_documents_that_come_and_go_are_known_under_one_uri_each(library: Path) -> None:
    async with serving(library, rescan_s=0.05) as served:
        plant(library, {"patterns/python/patterns-new.md": "# New\n"})
        (library / "sdlc-core.md").unlink()
        # Its alias, which has no language.
        await eventually(has(served, "mcp://resources/patterns/new"))
        known = [each.uri for each in await asyncio.to_thread(served.app.usage.resources)]
    assert "mcp://resources/patterns/python/new" in known
    assert not {"mcp://resources/patterns/new", CORE_URI} & set(known)
