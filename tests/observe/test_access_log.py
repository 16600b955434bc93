import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from carrel.observe.lines import LineWriter
from carrel.observe.observer import MAX_PENDING
from tests.support.apps import Served, serving
from tests.support.mcp import handshake, modern
from tests.support.sources import EIO, FailingSource
from tests.support.trees import CORE
from tests.support.waiting import eventually

CORE_PATH = "/mcp/resources/sdlc/core"
URI = "mcp://resources/sdlc/core"


@pytest.fixture
def file(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    path = tmp_path / "log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    yield path, descriptor
    os.close(descriptor)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@asynccontextmanager
async def logging_to(file: tuple[Path, int], library: Path, **options: Any) -> AsyncIterator[Served]:
    async with serving(library, writer=LineWriter(file[1]), **options) as served:
        yield served


async def test_every_read_is_one_line(file: tuple[Path, int], library: Path) -> None:
    async with logging_to(file, library) as served:
        etag = (await served.get(CORE_PATH)).headers["etag"]
        await served.get(CORE_PATH)
        await served.get(CORE_PATH, if_none_match=etag)
        await served.get("/mcp/resources/sdlc/none")
        await handshake(served, "resources/read", uri=URI)
        await modern(served, "resources/read", uri="mcp://resources/none")
        await served.get("/mcp/resources")
        await served.get("/healthz")
        await handshake(served, "ping")
        # Lines are handed over by themselves, without a further request.
        await eventually(lambda: len(lines_of(file[0])) >= 6)
    lines = lines_of(file[0])
    assert [(line["resource_uri"], line["status_code"], line["cache_result"]) for line in lines] == [
        (URI, 200, "miss"),
        (URI, 200, "hit"),
        (URI, 304, "hit"),
        ("mcp://resources/sdlc/none", 404, "none"),
        (URI, 200, "miss"),
        ("mcp://resources/none", 200, "none"),
    ]
    assert [line["file_size_bytes"] for line in lines] == [len(CORE)] * 3 + [None, len(CORE), None]
    for line in lines:
        assert set(line) == {
            "ts",
            "event",
            "resource_uri",
            "latency_ms",
            "status_code",
            "file_size_bytes",
            "cache_result",
        }
        assert line["event"] == "read"
        assert line["latency_ms"] >= 0


async def test_every_read_of_a_batch_is_a_line(file: tuple[Path, int], library: Path) -> None:
    async with logging_to(file, library) as served:
        call = {"jsonrpc": "2.0", "method": "resources/read", "params": {"uri": URI}}
        await served.client.post("/mcp", json=[{**call, "id": 1}, {**call, "id": 2}])
    assert [line["cache_result"] for line in lines_of(file[0])] == ["miss", "hit"]


async def test_failed_and_stale_reads_are_lines(file: tuple[Path, int], library: Path) -> None:
    source = FailingSource(library)
    async with logging_to(file, library, source=source, cache_ttl_s=0.001) as served:
        source.error = EIO
        await served.get(CORE_PATH)
        source.error = None
        await served.get(CORE_PATH)
        source.error = EIO

        async def is_stale() -> bool:
            return (await served.get(CORE_PATH)).headers["x-cache"] == "stale"

        await eventually(is_stale)
    results = [(line["status_code"], line["cache_result"]) for line in lines_of(file[0])]
    assert results[:2] == [(500, "none"), (200, "miss")]
    assert results[-1] == (200, "stale")


async def test_what_a_client_makes_up_stays_one_short_line(file: tuple[Path, int], library: Path) -> None:
    async with logging_to(file, library) as served:
        for path in ("a%0Ab", "a" * 2000, "%E2%80%A8", '"},{"x":"', "%FF%FE"):
            await served.client.get(f"/mcp/resources/{path}")
        await handshake(served, "resources/read", uri="x" * 100_000)
        await handshake(served, "resources/read", uri='\n{"event":"read"}\n')
    lines = lines_of(file[0])
    assert len(lines) == 7
    assert all(len(line["resource_uri"]) <= 256 for line in lines)


async def test_the_log_can_be_left_out(file: tuple[Path, int], library: Path) -> None:
    async with logging_to(file, library, access_log=False) as served:
        await served.get(CORE_PATH)
    assert lines_of(file[0]) == []


async def test_a_full_batch_is_handed_over_at_once(file: tuple[Path, int], library: Path) -> None:
    async with logging_to(file, library) as served:
        requests = [served.client.get(CORE_PATH) for _ in range(MAX_PENDING + 1)]
        await asyncio.gather(*requests)
        await eventually(lambda: len(lines_of(file[0])) >= MAX_PENDING)
    assert len(lines_of(file[0])) == MAX_PENDING + 1


async def test_without_metrics_the_log_goes_on(file: tuple[Path, int], library: Path) -> None:
    async with logging_to(file, library, metrics=False) as served:
        await served.get(CORE_PATH)
    assert [line["resource_uri"] for line in lines_of(file[0])] == [URI]
