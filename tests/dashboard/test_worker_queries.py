"""Reports that workers exchange for the dashboard; between processes: test_serving.py."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from choirbook.dashboard.slowest import Slowest
from choirbook.dashboard.worker_queries import WorkerQueries
from choirbook.dashboard.worker_report import CachedDocument, DocumentUse, WorkerReport
from choirbook.workers.rpc import WorkerRpc
from tests.support.apps import Served, serving
from tests.support.mcp import handshake
from tests.support.reading import read
from tests.support.trees import CORE_URI

PATTERN = "mcp://resources/patterns/python/core"


@pytest.fixture
async def workers(library: Path, tmp_path: Path) -> AsyncIterator[list[Served]]:
    """Three apps that share a directory, as the workers of one server do."""
    shared = tmp_path / "shared"
    shared.mkdir()
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(serving(library, shared=shared, dashboard=True, workers=3))
            for _ in range(3)
        ]


async def test_all_that_workers_tell_each_other_goes_over_one_socket_each(
    workers: list[Served], tmp_path: Path
) -> None:
    response = await handshake(workers[0], "initialize", protocolVersion="2025-11-25", capabilities={})
    session = response.headers["mcp-session-id"]
    assert (await workers[1].client.delete("/mcp", headers={"mcp-session-id": session})).status_code == 204
    for worker in workers:
        assert (await worker.get("/dashboard/cache")).status_code == 200
    found = await asyncio.to_thread(lambda: sorted((tmp_path / "shared").rglob("*")))
    sockets = [path for path in found if path.is_socket()]
    assert len(sockets) == len(workers)
    assert {path.parent.name for path in sockets} == {"rpc"}
    # Two databases, of which usage is written some time later; nothing else is exchanged by files.
    files = {path.name.partition("-")[0] for path in found if path.is_file()}
    assert files <= {"sessions.sqlite", "usage.sqlite"}


async def test_any_worker_tells_what_all_hold(workers: list[Served]) -> None:
    for worker in workers[:2]:
        await read(worker.library, CORE_URI)
    await read(workers[2].library, PATTERN)
    for worker in workers:
        told = (await worker.get("/dashboard/cache")).json()
        assert {each["uri"]: each["forms"] for each in told} == {CORE_URI: 2, PATTERN: 1}
        assert sum(each["bytes"] for each in told) == sum(each.library.memory.size_bytes for each in workers)
        document = (await worker.get(f"/dashboard/document?uri={CORE_URI}")).json()
        assert (document["cachedBy"], document["cachedForms"], document["streams"]) == (2, 2, 0)


async def board(served: Served, directory: Path | None) -> tuple[WorkerQueries, WorkerRpc]:
    rpc = WorkerRpc(directory)
    worker = WorkerReport(served.library, served.app.streams, Slowest())
    made = WorkerQueries(worker, rpc)
    await rpc.start()
    return made, rpc


async def test_who_is_asked_learns_that_somebody_looks(served: Served, tmp_path: Path) -> None:
    one, calls = await board(served, tmp_path / "rpc")
    other, other_calls = await board(served, tmp_path / "rpc")
    assert other.looked_s is None
    heard = await one.slowest_elsewhere()
    assert (heard.reads, heard.is_complete) == ([], True)
    assert (one.looked_s, other.looked_s is not None) == (None, True)
    for each in (calls, other_calls):
        await each.stop()


async def test_a_worker_that_does_not_answer_is_told_of(served: Served, tmp_path: Path) -> None:
    one, calls = await board(served, tmp_path / "rpc")
    silent = WorkerRpc(tmp_path / "rpc")
    await silent.start()
    assert not (await one.slowest_elsewhere()).is_complete
    for each in (calls, silent):
        await each.stop()


async def test_one_worker_alone_knows_what_it_holds(served: Served) -> None:
    await read(served.library, CORE_URI)
    one, _ = await board(served, None)
    assert await one.held() == [CachedDocument(CORE_URI, 1, served.library.memory.size_bytes)]
    assert await one.use(CORE_URI) == DocumentUse(0, 1, 1)
    assert await one.use(PATTERN) == DocumentUse(0, 0, 0)
    assert (await one.slowest_elsewhere()).reads == []
