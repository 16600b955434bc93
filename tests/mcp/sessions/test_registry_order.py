"""The ledger is used by one call at a time, in the order of the calls."""

from __future__ import annotations

import asyncio
import threading

import pytest

from choirbook.errors import InvalidParams
from choirbook.mcp.sessions.registry import SessionRegistry
from choirbook.mcp.sessions.store import SessionStore
from choirbook.workers.rpc import WorkerRpc


@pytest.fixture
def counts() -> list[int]:
    return []


async def test_no_two_calls_are_in_the_ledger_at_once(counts: list[int]) -> None:
    registry = SessionRegistry(None, WorkerRpc(None), 10, lambda: counts.append(registry.count))
    both_inside = threading.Barrier(2, timeout=0.3)
    met: list[bool] = []

    def use(_: SessionStore) -> None:
        try:
            both_inside.wait()
            met.append(True)
        except threading.BrokenBarrierError:
            met.append(False)

    await asyncio.gather(registry.run(use), registry.run(use))
    assert met == [False, False]
    await registry.stop()


async def test_calls_are_carried_out_in_their_order(counts: list[int]) -> None:
    registry = SessionRegistry(None, WorkerRpc(None), 10, lambda: counts.append(registry.count))
    assert registry.count == 0
    await asyncio.gather(*(registry.run(lambda store, id_=str(n): store.begin(id_, 0.0)) for n in range(5)))  # type: ignore[misc]
    assert counts == [1, 2, 3, 4, 5]
    await registry.stop()


async def test_a_call_that_fails_leaves_the_ledger_usable(counts: list[int]) -> None:
    registry = SessionRegistry(None, WorkerRpc(None), 10, lambda: counts.append(registry.count))

    def refuse(store: SessionStore) -> None:
        store.begin("a", 0.0)
        raise InvalidParams("no")

    with pytest.raises(InvalidParams):
        await registry.run(refuse)
    assert counts == []
    assert await registry.run(lambda store: store.end("a"))
    assert counts == [0]
    await registry.stop()


async def test_a_registry_that_was_stopped_begins_with_an_empty_ledger(counts: list[int]) -> None:
    registry = SessionRegistry(None, WorkerRpc(None), 10, lambda: counts.append(registry.count))
    await registry.run(lambda store: store.begin("a", 0.0))
    await registry.stop()
    again = SessionRegistry(None, WorkerRpc(None), 10, lambda: None)
    assert await again.run(lambda store: store.client("a")) is None
    assert again.count == 0
    await again.stop()
