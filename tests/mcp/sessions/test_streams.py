"""Streams of sessions, held by workers of one ledger; over connections: tests/servers/test_streams.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import pytest

from choirbook.errors import SessionNotFound, StreamTaken
from choirbook.mcp.client_stream import EndReason
from choirbook.mcp.open_streams import OpenStreams
from choirbook.mcp.sessions.registry import SessionRegistry
from choirbook.mcp.sessions.streams import HttpSession, SessionStreams
from choirbook.workers.rpc import WorkerRpc
from tests.support.apps import Served
from tests.support.waiting import eventually

CORE = "mcp://resources/sdlc/core"
GONE = "mcp://resources/sdlc/gone"


@dataclass(frozen=True)
class Worker:
    """One worker, as far as sessions go."""

    registry: SessionRegistry
    held: SessionStreams
    gone: list[str]

    async def begin(self, id_: str) -> HttpSession:
        await self.registry.run(lambda store: store.begin(id_, monotonic()))
        return HttpSession(self.held, id_)

    async def forget(self, id_: str) -> None:
        await self.registry.run(lambda store: store.end(id_))


@asynccontextmanager
async def working(served: Served, shared: Path | None = None) -> AsyncIterator[Worker]:
    rpc = WorkerRpc(None if shared is None else shared / "rpc")
    registry, gone = SessionRegistry(shared, rpc, 10, lambda: None), list[str]()
    streams = OpenStreams(served.library.catalog, 10, 3600.0, lambda: None)

    def forget(id_: str) -> None:
        gone.append(id_)
        held.end(id_)

    held = SessionStreams(served.library, streams, registry, forget)
    registry.start(forget, held.on_subscriptions_changed)
    await rpc.start()
    try:
        yield Worker(registry, held, gone)
    finally:
        streams.close()
        held.stop()
        await registry.stop()
        await rpc.stop()


async def test_a_stream_watches_what_its_session_subscribed_to_before_and_since(served: Served) -> None:
    async with working(served) as worker:
        session = await worker.begin("a")
        await session.subscribe(CORE)
        stream = await worker.held.open("a")
        assert stream.watched == {CORE: (CORE,)}
        await session.subscribe(GONE)
        assert set(stream.watched) == {CORE, GONE}
        await session.unsubscribe(CORE)
        assert set(stream.watched) == {GONE}


async def test_what_another_worker_subscribes_to_gets_to_the_holder(served: Served, tmp_path: Path) -> None:
    async with working(served, tmp_path) as holder, working(served, tmp_path) as other:
        await holder.begin("a")
        stream = await holder.held.open("a")
        await HttpSession(other.held, "a").subscribe(CORE)
        await eventually(lambda: CORE in stream.watched)
        assert (holder.held.ids, other.held.ids) == (["a"], [])


async def test_a_session_has_one_stream_whichever_worker_holds_it(served: Served, tmp_path: Path) -> None:
    async with working(served, tmp_path) as holder, working(served, tmp_path) as other:
        await holder.begin("a")
        stream = await holder.held.open("a")
        for worker in (holder, other):
            with pytest.raises(StreamTaken):
                await worker.held.open("a")
        assert (stream.ended, other.held.ids) == (None, [])


async def test_a_stream_that_has_ended_makes_room_for_another(served: Served, tmp_path: Path) -> None:
    async with working(served, tmp_path) as holder, working(served, tmp_path) as other:
        await holder.begin("a")
        stream = await holder.held.open("a")
        holder.held.end("a")
        assert (stream.ended, holder.held.ids) == (EndReason.SESSION, [])

        async def opens() -> bool:
            try:
                await other.held.open("a")
            except StreamTaken:
                return False
            return True

        await eventually(opens)


async def test_no_stream_is_held_for_a_session_that_is_not_there(served: Served) -> None:
    async with working(served) as worker:
        with pytest.raises(SessionNotFound):
            await worker.held.open("made-up")
        assert worker.held.ids == []
        worker.held.end("made-up")


async def test_a_session_that_turns_out_to_have_ended_is_told_and_its_stream_ends(served: Served) -> None:
    async with working(served) as worker:
        await worker.begin("a")
        stream = await worker.held.open("a")
        await worker.forget("a")
        worker.held.on_subscriptions_changed("a")
        await eventually(lambda: worker.gone == ["a"])
        assert stream.ended is EndReason.SESSION
