import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from choirbook.errors import InvalidParams, InvalidUri, ResourceNotFound
from choirbook.model import Form, Invalidation, ServedFrom
from choirbook.workers.status import ConnectionState
from tests.support.apps import Served, serving
from tests.support.reading import read
from tests.support.trees import CORE_URI
from tests.support.waiting import eventually

PATTERN = "mcp://resources/patterns/python/core"


@pytest.fixture
async def workers(library: Path, tmp_path: Path) -> AsyncIterator[list[Served]]:
    """Three apps that share a directory, as the workers of one server do."""
    shared = tmp_path / "shared"
    shared.mkdir()
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(serving(library, shared=shared)) for _ in range(3)]


async def served_from(workers: list[Served], uri: str = CORE_URI) -> list[ServedFrom]:
    return [(await read(worker.library, uri)).served_from for worker in workers]


HITS, MISSES = [ServedFrom.HIT] * 3, [ServedFrom.MISS] * 3


async def test_every_worker_has_forgotten_when_the_invalidation_returns(workers: list[Served]) -> None:
    await served_from(workers)
    assert await served_from(workers) == HITS
    server_status = await workers[1].app.cache_control.invalidate(Invalidation(uri=CORE_URI))
    assert (
        server_status.silent,
        server_status.forgotten,
        [each.forgotten for each in server_status.workers],
    ) == (0, 3, [1, 1, 1])
    assert await served_from(workers) == MISSES


async def test_only_what_is_in_the_scope_is_forgotten(workers: list[Served]) -> None:
    for uri in (CORE_URI, PATTERN):
        await served_from(workers, uri)
    server_status = await workers[0].app.cache_control.invalidate(Invalidation(type="pattern"))
    assert server_status.forgotten == 3
    assert await served_from(workers, CORE_URI) == HITS
    assert await served_from(workers, PATTERN) == MISSES


async def test_invalidations_at_once_are_each_answered_for_their_own_scope(workers: list[Served]) -> None:
    for uri in (CORE_URI, PATTERN):
        await served_from(workers, uri)
    invalidate = workers[0].app.cache_control.invalidate
    scopes = (Invalidation(type="pattern"), Invalidation(), Invalidation(uri=CORE_URI))
    crews = await asyncio.gather(*map(invalidate, scopes))
    # Of all, all are counted again: what is forgotten stays until it is loaded again.
    assert [[each.forgotten for each in server_status.workers] for server_status in crews] == [
        [1] * 3,
        [2] * 3,
        [1] * 3,
    ]


async def test_invalidation_reaches_every_worker_though_its_asker_has_gone(workers: list[Served]) -> None:
    await served_from(workers)
    asker = asyncio.create_task(workers[0].app.cache_control.invalidate(Invalidation()))
    for _ in range(1000):
        if "choirbook-invalidation" in {task.get_name() for task in asyncio.all_tasks()}:
            break
        await asyncio.sleep(0)
    assert asker.cancel(), "the others are still asked"
    with pytest.raises(asyncio.CancelledError):
        await asker

    async def all_read_it_again() -> bool:
        return (await read(workers[2].library)).served_from is ServedFrom.MISS

    await eventually(all_read_it_again)


@pytest.mark.parametrize(
    ("scope", "error"),
    [
        (Invalidation(uri="mcp://resources/none"), ResourceNotFound),
        (Invalidation(uri="no uri"), InvalidUri),
        (Invalidation(type="none"), InvalidParams),
    ],
)
async def test_a_scope_that_names_nothing_is_refused(
    workers: list[Served], scope: Invalidation, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await workers[0].app.cache_control.invalidate(scope)


async def test_warming_makes_every_read_a_hit_in_every_worker(workers: list[Served]) -> None:
    await read(workers[0].library, CORE_URI, Form.RAW)
    server_status = await workers[0].app.cache_control.warm(10.0)
    assert not server_status.is_warming
    for worker in server_status.workers:
        done = worker.warming
        assert (done.held + done.loaded, done.failed, done.no_room) == (done.uris, 0, 0)
        assert done.uris > worker.resources, "aliases too"
    assert await served_from(workers) == HITS
    again = await workers[2].app.cache_control.warm(10.0)
    assert all(worker.warming.held == worker.warming.uris for worker in again.workers)


async def test_what_was_forgotten_is_loaded_again(workers: list[Served]) -> None:
    await workers[0].app.cache_control.warm(10.0)
    await workers[0].app.cache_control.invalidate(Invalidation(uri=CORE_URI))
    server_status = await workers[0].app.cache_control.warm(10.0)
    assert [worker.warming.loaded for worker in server_status.workers] == [1, 1, 1]
    assert await served_from(workers) == HITS


async def test_warming_that_is_not_waited_for_goes_on(workers: list[Served]) -> None:
    server_status = await workers[0].app.cache_control.warm(0.0)
    assert server_status.is_warming

    async def all_warm() -> bool:
        return not (await workers[0].app.cache_control.status()).is_warming

    await eventually(all_warm)
    assert await served_from(workers) == HITS


async def test_every_worker_tells_what_it_holds(workers: list[Served]) -> None:
    await read(workers[1].library)
    server_status = await workers[0].app.cache_control.status()
    assert sorted(worker.entries for worker in server_status.workers) == [0, 0, 1]
    for state in server_status.workers:
        assert (state.redis, state.feed, state.ready) == (ConnectionState.OFF, ConnectionState.OFF, True)
