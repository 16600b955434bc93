from __future__ import annotations

import asyncio
from pathlib import Path

from choirbook.cache.epoch import InvalidationEpoch
from choirbook.model import Invalidation, ServedFrom
from tests.support.apps import serving
from tests.support.reading import read
from tests.support.sources import SlowSource
from tests.support.trees import CORE_URI
from tests.support.waiting import eventually


def test_load_is_current_until_something_is_invalidated() -> None:
    epoch = InvalidationEpoch()
    began = epoch.now
    assert not epoch.is_over(began)
    epoch.advance()
    assert epoch.is_over(began)
    assert not epoch.is_over(epoch.now)


def test_epochs_do_not_come_again() -> None:
    epoch = InvalidationEpoch()
    seen = [epoch.now]
    for _ in range(3):
        epoch.advance()
        seen.append(epoch.now)
    assert len(set(seen)) == len(seen)


async def test_readers_and_invalidations_of_one_library_share_an_epoch(library: Path) -> None:
    """A load that began before an invalidation is neither joined nor kept by who reads after it."""
    source = SlowSource(library)
    async with serving(library, source=source) as served:
        early = asyncio.create_task(read(served.library))
        await eventually(lambda: source.reads == 1)
        await served.library.forget(Invalidation(uri=CORE_URI))
        late = asyncio.create_task(read(served.library))
        try:
            await eventually(lambda: source.reads == 2)
        finally:
            source.gate.set()
        readings = await asyncio.gather(early, late)
        assert [reading.served_from for reading in readings] == [ServedFrom.MISS] * 2
        assert (await read(served.library)).served_from is ServedFrom.HIT
