"""Events that reach a session's stream while it is being opened, or after it has ended."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import NamedTuple

import pytest

from choirbook.errors import SessionNotFound
from choirbook.http.exchange import LossReason
from choirbook.mcp.client_stream import EndReason
from choirbook.mcp.open_streams import OpenStreams
from choirbook.mcp.sessions.registry import SessionRegistry
from choirbook.mcp.sessions.streams import HttpSession, SessionStreams
from choirbook.workers.rpc import WorkerRpc
from tests.support.apps import Served
from tests.support.shelves import Client
from tests.support.waiting import eventually

CORE = "mcp://resources/sdlc/core"


class Worker(NamedTuple):
    registry: SessionRegistry
    held: SessionStreams
    streams: OpenStreams


@pytest.fixture
async def worker(served: Served) -> AsyncIterator[Worker]:
    registry = SessionRegistry(None, WorkerRpc(None), 10, lambda: None)
    streams = OpenStreams(served.library.catalog, 10, 3600.0, lambda: None)

    def end(id_: str) -> None:
        held.end(id_)

    held = SessionStreams(served.library, streams, registry, end)
    await registry.run(lambda store: store.begin("a", monotonic()))
    yield Worker(registry, held, streams)
    streams.close()
    held.stop()
    await registry.stop()


@asynccontextmanager
async def slow_ledger(worker: Worker) -> AsyncIterator[None]:
    """Keep the ledger busy for as long as the context lasts."""
    gate = threading.Event()
    busy = asyncio.create_task(worker.registry.run(lambda _: gate.wait(10)))
    await asyncio.sleep(0)
    yield
    gate.set()
    assert await busy


async def test_a_session_that_ends_while_its_stream_is_opened_gets_none(worker: Worker) -> None:
    async with slow_ledger(worker):
        opening = asyncio.create_task(worker.held.open("a"))
        await eventually(lambda: worker.held.ids == ["a"])
        worker.held.end("a")  # as another worker says, before the ledger has answered
    with pytest.raises(SessionNotFound):
        await opening
    assert worker.held.ids == []
    stream = await worker.held.open("a")
    assert stream.ended is None, "the failed one let go of its claim"


async def test_a_client_that_hangs_up_while_its_stream_is_opened_leaves_it_to_the_next_one(
    worker: Worker,
) -> None:
    async with slow_ledger(worker):
        opening = asyncio.create_task(worker.held.open("a"))
        await eventually(lambda: worker.held.ids == ["a"])
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
    assert worker.held.ids == []

    async def can_be_opened() -> bool:
        stream = await worker.held.open("a")
        return stream.ended is None

    await eventually(can_be_opened)


async def test_a_late_word_of_subscriptions_does_not_bring_a_stream_back(worker: Worker) -> None:
    stream = await worker.held.open("a")
    stream.lost(LossReason.CLIENT)
    worker.held.on_subscriptions_changed("a")
    await HttpSession(worker.held, "a").subscribe(CORE)
    assert (worker.held.ids, stream.watched, worker.streams.watched) == ([], {}, 0)


async def test_what_is_subscribed_to_through_others_is_watched_by_the_open_stream(worker: Worker) -> None:
    stream, client = await worker.held.open("a"), Client()
    stream.open(client)
    await worker.registry.run(lambda store: store.subscribe("a", CORE))
    worker.held.on_subscriptions_changed("a")
    await eventually(lambda: worker.streams.watched == 1)
    await worker.registry.run(lambda store: store.unsubscribe("a", CORE))
    worker.held.on_subscriptions_changed("a")
    await eventually(lambda: worker.streams.watched == 0)
    assert (client.is_over, stream.watched) == (False, {})


async def test_a_session_that_is_gone_ends_its_stream_when_others_speak_of_it(worker: Worker) -> None:
    stream, client = await worker.held.open("a"), Client()
    stream.open(client)
    await worker.registry.run(lambda store: store.end("a"))
    worker.held.on_subscriptions_changed("a")
    await eventually(lambda: client.is_over)
    assert (stream.ended, len(worker.streams), worker.held.ids) == (EndReason.SESSION, 0, [])
