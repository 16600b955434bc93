import asyncio
from pathlib import Path

import httpx
import pytest

import choirbook
from choirbook.app import create_app
from choirbook.errors import InvalidLibrary, NotReady
from choirbook.model import Content, Version
from choirbook.observe.shared_metrics import SharedMetrics
from choirbook.settings import Settings
from tests.support.apps import BASE, application, serving
from tests.support.descriptors import open_descriptors
from tests.support.sources import FailingSource
from tests.support.trees import plant
from tests.support.waiting import eventually


def test_the_public_names_are_imported_on_use() -> None:
    assert choirbook.Settings is Settings
    assert choirbook.create_app is create_app
    assert choirbook.Library.__name__ == "Library"
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        getattr(choirbook, "Nothing")  # noqa: B009 - mypy knows that it is not there


def test_an_app_of_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidLibrary):
        create_app(Settings(root=tmp_path / "none"))


async def test_a_server_that_is_not_ready_says_so_and_answers_reads_when_it_is(library: Path) -> None:
    source = FailingSource(library)
    source.fails_list = True
    app = await asyncio.to_thread(lambda: application(library, source=source, rescan_s=0.02))
    transport = httpx.ASGITransport(app)
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        await eventually(lambda: app.library.follower.failed_scans > 0)
        waiting = await client.get("/readyz")
        assert (waiting.status_code, waiting.json()["status"]) == (503, "starting")
        assert waiting.json()["reason"] == "the library's directory cannot be listed"
        assert waiting.headers["retry-after"] == "2"
        assert (await client.get("/healthz")).status_code == 200
        list_call = {"jsonrpc": "2.0", "id": 1, "method": "resources/list"}
        read_call = {**list_call, "method": "resources/read", "params": {"uri": "mcp://resources/sdlc/core"}}
        requests = [
            asyncio.create_task(client.get("/mcp/resources/sdlc/core")),
            asyncio.create_task(client.get("/mcp/resources/nothing")),
            asyncio.create_task(client.get("/mcp/resources")),
            asyncio.create_task(client.get("/mcp/resources?limit=0")),
            asyncio.create_task(client.post("/mcp", json=list_call)),
            asyncio.create_task(client.post("/mcp", json=read_call)),
        ]
        failed = app.library.follower.failed_scans
        await eventually(lambda: app.library.follower.failed_scans > failed)
        assert not any(request.done() for request in requests)
        source.fails_list = False
        responses = await asyncio.gather(*requests)
        assert [response.status_code for response in responses] == [200, 404, 200, 400, 200, 200]
        assert len(responses[4].json()["result"]["resources"]) == 5
        assert responses[5].json()["result"]["contents"][0]["uri"] == "mcp://resources/sdlc/core"
        assert (await client.get("/readyz")).status_code == 200


def test_not_ready_is_an_error_of_its_own() -> None:
    assert NotReady("Try again.").message == "Try again."


async def test_a_change_of_the_directory_shows_in_the_listing_of_both_surfaces(library: Path) -> None:
    async with serving(library, rescan_s=0.05) as served:
        call = {"jsonrpc": "2.0", "id": 1, "method": "resources/list"}
        assert len((await served.client.post("/mcp", json=call)).json()["result"]["resources"]) == 5
        plant(library, {"new.txt": "x"})

        async def both_show() -> object:
            listed = (await served.client.post("/mcp", json=call)).json()["result"]["resources"]
            return len(listed) == (await served.get("/mcp/resources")).json()["total"] == 6

        await eventually(both_show)


async def test_starting_twice_does_no_harm(library: Path) -> None:
    async with serving(library) as served:
        await served.app.start()
        assert (await served.get("/mcp/resources/sdlc/core")).status_code == 200


async def test_an_app_that_is_stopped_leaves_nothing_behind(library: Path) -> None:
    cells = SharedMetrics()

    async def live_once() -> None:
        async with serving(library, watch=True, cells=cells) as served:
            await served.get("/mcp/resources/sdlc/core")

    await live_once()
    descriptors, tasks = open_descriptors(), len(asyncio.all_tasks())
    for _ in range(5):
        await live_once()
    assert len(asyncio.all_tasks()) == tasks
    await eventually(lambda: open_descriptors() <= descriptors, deadline_s=2.0)


async def test_a_fault_of_its_own_is_a_500_that_tells_nothing(library: Path) -> None:
    class Broken(FailingSource):
        def read(self, path: str, version: Version) -> Content:
            raise ZeroDivisionError(f"the secret of {path} {version}")

    async with serving(library, source=Broken(library)) as served:
        response = await served.get("/mcp/resources/sdlc/core")
        assert response.status_code == 500
        assert response.json()["title"] == "Internal error"
        assert "secret" not in response.text
