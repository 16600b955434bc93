import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from choirbook.dashboard.assets import load_assets
from tests.support.apps import Served, serving

CORE = "mcp://resources/sdlc/core"


@pytest.fixture
async def shown(library: Path) -> AsyncIterator[Served]:
    async with serving(library, dashboard=True) as app:
        yield app


async def test_the_page_forbids_all_but_its_own_files(shown: Served) -> None:
    response = await shown.get("/dashboard")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(
        part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert set(policy.values()) == {"'none'", "'self'", "'script'"}
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_every_file_of_the_page_is_there_and_is_sent_once(shown: Served) -> None:
    for name in await asyncio.to_thread(load_assets):
        path = f"/dashboard/assets/{name}"
        response = await shown.get(path)
        assert response.status_code == 200, name
        etag = response.headers["etag"]
        again = await shown.get(path, if_none_match=etag)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)


async def test_the_page_has_one_address(shown: Served) -> None:
    # Its own addresses are relative to this one.
    response = await shown.get("/dashboard/")
    assert (response.status_code, response.headers["location"]) == (308, "../dashboard")


async def test_without_the_setting_there_is_no_dashboard(served: Served) -> None:
    for path in ("/dashboard", "/dashboard/events", "/dashboard/assets/main.js"):
        assert (await served.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/dashboard/nothing", 404),
        ("/dashboard/assets/", 404),
        ("/dashboard/assets/../routes.py", 404),
        ("/dashboard/assets/%2e%2e/routes.py", 404),
        ("/dashboard/document", 400),
        ("/dashboard/document?uri=", 400),
        ("/dashboard/document?uri=mcp://resources/nothing", 404),
        ("/dashboard/preview?uri=file:///etc/passwd", 400),
        ("/dashboard/preview?uri=mcp://resources/../../etc/passwd", 400),
        ("/dashboard/tree?under=%ff", 400),
        ("/dashboard/tree?under=" + "x" * 20_000, 400),
    ],
)
async def test_what_is_not_there_is_told_and_no_fault(shown: Served, path: str, status: int) -> None:
    response = await shown.get(path)
    assert response.status_code == status, response.text
    assert response.json()["detail"]


async def test_only_get_and_head_are_answered(shown: Served) -> None:
    assert (await shown.client.post("/dashboard")).status_code == 405
    for path in ("/dashboard", "/dashboard/events", "/dashboard/about", "/dashboard/assets/main.js"):
        response = await shown.client.head(path)
        assert (response.status_code, response.content) == (200, b""), path


async def test_a_page_of_another_origin_gets_nothing(shown: Served) -> None:
    assert (await shown.get("/dashboard/about", origin="https://evil.example")).status_code == 403


async def test_the_tree_is_walked_level_by_level(shown: Served) -> None:
    (root,) = (await shown.get("/dashboard/tree")).json()["entries"]
    assert root == {"folder": "mcp://resources", "prefix": "mcp://resources/", "documents": 5}
    below = (await shown.get("/dashboard/tree?under=mcp://resources/sdlc/")).json()
    assert below["after"] is None
    assert [entry["uri"] for entry in below["entries"]] == [CORE]
    assert below["entries"][0]["title"] == "The core"


async def test_a_document_is_described(shown: Served) -> None:
    told = (await shown.get(f"/dashboard/document?uri={CORE}")).json()
    info = shown.library.find(CORE)
    assert (told["size"], told["tokens"], told["version"]) == (info.size, info.tokens, info.version)
    assert (told["cachedForms"], told["streams"]) == (0, 0)
    assert (await shown.get(told["href"])).status_code == 200
    told = (await shown.get(f"/dashboard/document?uri={CORE}")).json()
    assert (told["cachedForms"], told["cachedBy"]) == (1, 1)
    (held,) = (await shown.get("/dashboard/cache")).json()
    assert held["uri"] == CORE
    assert held["bytes"] == shown.library.memory.size_bytes


async def test_a_preview_runs_nothing_and_fetches_nothing(shown: Served) -> None:
    response = await shown.get(f"/dashboard/preview?uri={CORE}")
    assert '<h1 dir="auto">The core</h1>' in response.text
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; ")
    assert "sandbox" in policy
    assert "script" not in policy


async def test_a_preview_does_not_count_as_a_read(shown: Served) -> None:
    await shown.get(f"/dashboard/preview?uri={CORE}")
    metrics = await shown.metrics()
    assert 'mcp_resource_cache_misses_total{resource_type="sdlc"} 0.0' in metrics


async def test_what_is_told_of_the_server_holds_for_all_workers(library: Path) -> None:
    async with serving(library, dashboard=True, workers=3, cache_max_resources=10) as shown:
        told = (await shown.get("/dashboard/about")).json()
    assert (told["workers"], told["maxResources"]) == (3, 30)
