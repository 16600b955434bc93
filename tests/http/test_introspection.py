import asyncio
from pathlib import Path

import httpx

from tests.support.apps import BASE, Served, application, serving
from tests.support.sources import FailingSource
from tests.support.waiting import eventually


async def test_the_process_is_alive_and_ready(served: Served) -> None:
    assert (await served.get("/healthz")).json() == {"status": "ok"}
    ready = (await served.get("/readyz")).json()
    assert (ready["status"], ready["resources"], ready["watching"]) == ("ready", 5, False)


async def test_a_server_that_has_not_scanned_its_library_is_alive_and_not_ready(library: Path) -> None:
    source = FailingSource(library)
    source.fails_list = True
    app = await asyncio.to_thread(lambda: application(library, source=source, rescan_s=0.02))
    transport = httpx.ASGITransport(app)
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        waiting = await client.get("/readyz")
        assert (waiting.status_code, waiting.json()["status"]) == (503, "starting")
        assert int(waiting.headers["retry-after"]) > 0
        assert (await client.get("/healthz")).status_code == 200
        source.fails_list = False
        await eventually(lambda: app.library.is_ready)
        assert (await client.get("/readyz")).status_code == 200


async def test_preloading_is_told_where_there_is_any(library: Path) -> None:
    async with serving(library, preload=True) as served:

        async def is_over() -> bool:
            return (await served.get("/readyz")).json()["preloading"] is False

        await eventually(is_over)
        assert (await served.get("/readyz")).json()["preloaded"] == len(served.library.catalog.infos())
    async with serving(library) as served:
        assert not {"preloading", "preloaded"} & (await served.get("/readyz")).json().keys()


async def test_what_changes_is_kept_by_no_cache_on_the_way(served: Served) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert (await served.get(path)).headers["cache-control"] == "no-store", path


async def test_the_metrics_are_spelled_as_asked_for(served: Served) -> None:
    response = await served.get("/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")
    assert response.headers["vary"] == "accept"
    assert not (await served.metrics()).endswith("# EOF\n")


async def test_the_description_has_these_routes(served: Served) -> None:
    described = (await served.get("/openapi.json")).json()["paths"]
    assert {"/healthz", "/readyz", "/metrics"} <= described.keys()
