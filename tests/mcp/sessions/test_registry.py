"""Two workers' ways to one ledger, as they are in two processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest

from choirbook.errors import Overloaded
from choirbook.mcp.sessions.registry import SessionRegistry
from choirbook.mcp.sessions.store import SessionStore
from choirbook.workers.rpc import WorkerRpc
from tests.sources.test_exhaustion import descriptors_left
from tests.support.waiting import eventually


class Heard:
    """Messages that a worker has received."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.subscribed: list[str] = []
        self.counts = 0

    def count(self) -> None:
        self.counts += 1


@asynccontextmanager
async def registry(
    directory: Path | None, heard: Heard, max_sessions: int = 10
) -> AsyncIterator[SessionRegistry]:
    rpc = WorkerRpc(None if directory is None else directory / "rpc")
    registry = SessionRegistry(directory, rpc, max_sessions, heard.count)
    registry.start(heard.ended.append, heard.subscribed.append)
    await rpc.start()
    try:
        yield registry
    finally:
        await registry.stop()
        await rpc.stop()


async def test_a_worker_finds_what_another_one_has_begun(tmp_path: Path) -> None:
    async with registry(tmp_path, Heard()) as one, registry(tmp_path, Heard()) as other:
        await one.run(lambda store: store.begin("a", monotonic()))
        assert await other.run(lambda store: store.subscriptions("a")) == []
        assert (one.count, other.count) == (1, 1)
        assert one.name != other.name
        assert await other.run(lambda _: other.is_alive(one.name))


async def test_the_others_hear_of_an_end_and_one_of_its_subscriptions(tmp_path: Path) -> None:
    heard, own = Heard(), Heard()

    def end(store: SessionStore) -> None:
        store.end("a")
        one.announce_ended(["a"])

    async with registry(tmp_path, own) as one, registry(tmp_path, heard) as other:
        await one.run(lambda store: store.begin("a", monotonic()))
        await one.run(end)
        await eventually(lambda: heard.ended == ["a"])
        await one.notify_holder(other.name, "b")
        await eventually(lambda: heard.subscribed == ["b"])
        assert (own.ended, own.subscribed) == ([], [])


async def test_a_single_process_has_nobody_to_tell() -> None:
    async with registry(None, Heard()) as one:
        assert await one.run(lambda store: store.begin("a", monotonic())) == []
        one.announce_ended(["a"])
        await one.notify_holder(one.name, "a")
        assert not one.is_alive(one.name)


async def test_each_use_of_the_ledger_tells_that_there_may_be_more_or_fewer_sessions() -> None:
    heard = Heard()
    async with registry(None, heard) as one:
        await one.run(lambda store: store.begin("a", monotonic()))
        assert (heard.counts, one.count) == (1, 1)
        await one.run(lambda store: store.end("a"))
        assert (heard.counts, one.count) == (2, 0)


async def test_a_ledger_that_cannot_be_used_is_told_as_an_overload(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "sessions.sqlite").write_text("no database\n" * 100)
    async with registry(tmp_path, Heard()) as one:
        with pytest.raises(Overloaded, match="continue without one"):
            await one.run(lambda store: store.count())
    assert "cannot use the session store" in caplog.text


async def test_a_ledger_without_a_descriptor_is_told_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with registry(tmp_path, Heard()) as one:
        with descriptors_left(0), pytest.raises(Overloaded):
            await one.run(lambda store: store.begin("a", monotonic()))
        assert await one.run(lambda store: store.begin("a", monotonic())) == []
    (told,) = caplog.records
    assert "until there is a file descriptor" in told.getMessage()
    assert told.exc_info is None
