import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from choirbook.observe.log_writer import LineWriter
from choirbook.observe.observer import MAX_PENDING
from choirbook.settings import LogFormat
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
    # The last one may be on its way.
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


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


async def test_hits_may_be_left_out_and_nothing_else(file: tuple[Path, int], library: Path) -> None:
    async with logging_to(file, library, log_hits=0.0) as served:
        for _ in range(20):
            await served.get(CORE_PATH)
        await served.get("/mcp/resources/sdlc/none")
    assert [line["cache_result"] for line in lines_of(file[0])] == ["miss", "none"]


async def test_a_part_of_the_hits_is_written(file: tuple[Path, int], library: Path) -> None:
    async with logging_to(file, library, log_hits=0.5) as served:
        for _ in range(200):
            await served.get(CORE_PATH)
        page = await served.metrics()
    # Less likely to be outside than one in 10^9.
    assert 55 <= len(lines_of(file[0])) <= 145
    assert 'mcp_resource_cache_hits_total{resource_type="sdlc"} 199.0' in page


async def test_a_line_has_the_ids_of_its_request(file: tuple[Path, int], library: Path) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    async with logging_to(file, library, log_request_ids=True) as served:
        for _ in range(2):
            await served.get(CORE_PATH, x_request_id="proxy-7", traceparent=f"00-{trace}-00f067aa0ba902b7-01")
        await served.get(CORE_PATH, x_request_id="not\tan id", traceparent="nonsense")
        await served.get(CORE_PATH)
    *proxied, odd, plain = lines_of(file[0])
    assert {(line["request_id"], line["trace_id"]) for line in proxied} == {("proxy-7", trace)}
    assert len({"proxy-7", odd["request_id"], plain["request_id"]}) == 3
    assert "trace_id" not in odd


async def test_a_person_gets_lines_that_cannot_harm_the_terminal(
    file: tuple[Path, int], library: Path
) -> None:
    async with logging_to(file, library, log_format=LogFormat.CONSOLE) as served:
        await served.get(CORE_PATH)
        await modern(served, "resources/read", uri="mcp://resources/\x1b[2J")
    first, second = file[0].read_text().splitlines()
    assert first.split()[1:4] == ["read", "200", "miss"]
    assert first.endswith(URI)
    assert "\x1b" not in second
    assert "\\x1b[2J" in second
