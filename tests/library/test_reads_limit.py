"""Exactly as many reads wait as are allowed, again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from choirbook.errors import Overloaded
from choirbook.model import Reading, ServedFrom
from tests.support.apps import serving
from tests.support.reading import read
from tests.support.sources import SlowSource
from tests.support.trees import CORE_URI
from tests.support.waiting import eventually

OTHERS = ["mcp://resources/patterns/python/core", "mcp://resources/patterns/go/core"]


@asynccontextmanager
async def opened_at_the_end(source: SlowSource) -> AsyncIterator[None]:
    """Let reads go when a test ends, or fails: their threads would wait for it."""
    try:
        yield
    finally:
        source.gate.set()


async def test_exactly_as_many_reads_wait_as_are_allowed(library: Path) -> None:
    source = SlowSource(library)
    async with serving(library, source=source, max_waiting_reads=2) as served, opened_at_the_end(source):
        for _ in range(2):
            source.gate.clear()
            waiting = [asyncio.create_task(read(served.library, uri)) for uri in OTHERS]
            await eventually(lambda: len(served.library.memory) == 0 and source.reads > 0)
            with pytest.raises(Overloaded):
                await read(served.library, CORE_URI)
            source.gate.set()
            readings = await asyncio.gather(*waiting)
            assert [type(reading) for reading in readings] == [Reading, Reading]
            assert {reading.served_from for reading in readings} == {ServedFrom.MISS}
            served.library.memory.clear()
            source.reads = 0


async def test_readers_who_hang_up_make_room_for_others(library: Path) -> None:
    source = SlowSource(library)
    async with serving(library, source=source, max_waiting_reads=2) as served, opened_at_the_end(source):
        for _ in range(3):
            waiting = [asyncio.create_task(read(served.library, uri)) for uri in OTHERS]
            await eventually(lambda: source.reads > 0)
            for each in waiting:
                each.cancel()
            outcomes = await asyncio.gather(*waiting, return_exceptions=True)
            assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
        source.gate.set()
        assert (await read(served.library, CORE_URI)).served_from is ServedFrom.MISS
