"""Disabled telemetry is absent, and no read pays for it."""

import asyncio
from pathlib import Path

import pytest

from choirbook.observe.shared_metrics import SharedMetrics
from tests.support.apps import application, serving
from tests.support.trees import CORE_PATH

EVERYTHING = {"usage_clients": True, "access_log": True, "metrics": True, "server_timing": True}


@pytest.fixture(autouse=True)
def _no_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_EXPORTER"):
        monkeypatch.delenv(name, raising=False)


async def test_where_nothing_is_told_nothing_is_noted(library: Path) -> None:
    cells = SharedMetrics()
    async with serving(library, cells=cells, metrics=False, access_log=False) as served:
        assert (await served.get(CORE_PATH)).status_code == 200
        assert (await served.get("/metrics")).status_code == 404
        assert list(cells.slots()) == []


def test_without_anything_asked_for_nothing_stands_before_the_router(library: Path) -> None:
    app = application(library, access_log=False)
    assert app.respond == app._router.respond  # noqa: SLF001 - that there is nothing between them is the point
    assert app.calls is app.dispatcher
    assert app.tracing is None


async def test_all_that_can_be_asked_for_goes_together(library: Path, tmp_path: Path) -> None:
    async with serving(library, usage=tmp_path / "usage.sqlite", **EVERYTHING) as served:
        response = await served.get(CORE_PATH, user_agent="curl/8")
        assert "server-timing" in response.headers
        assert 'mcp_resource_cache_misses_total{resource_type="sdlc"} 1.0' in await served.metrics()
        clients = await asyncio.to_thread(served.app.usage.clients)
        assert [each.name for each in clients] == ["curl"]
