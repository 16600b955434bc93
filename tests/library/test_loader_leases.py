"""A lease that is not needed any more is given back, and not left to expire.

On a machine that is busy for a second one may expire before it can be given back: then the test tries again.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from choirbook.errors import ResourceUnreadable
from choirbook.model import Invalidation
from tests.support.reading import read
from tests.support.redis import RedisServer
from tests.support.sharing import serving_far
from tests.support.sources import EIO, FailingSource, SlowSource
from tests.support.trees import CORE_URI
from tests.support.waiting import eventually

LEASES = "choirbook:library:lease:*"


async def ended_without_expiry(redis: RedisServer, expired_before: int) -> bool:
    await eventually(lambda: not redis.keys(LEASES))
    return expired(redis) == expired_before


def expired(redis: RedisServer) -> int:
    with redis.client() as client:
        return int(client.info("stats")["expired_keys"])


async def test_lease_of_a_load_that_failed_is_given_back(library: Path, redis_server: RedisServer) -> None:
    source = FailingSource(library, is_near=False)
    source.error = EIO
    async with serving_far(library, redis_server, source=source) as served:

        async def is_given_back() -> bool:
            before = expired(redis_server)
            with pytest.raises(ResourceUnreadable):
                await read(served.library)
            return await ended_without_expiry(redis_server, before)

        await eventually(is_given_back, deadline_s=5.0)


async def test_lease_of_a_load_that_was_invalidated_is_given_back(
    library: Path, redis_server: RedisServer
) -> None:
    source = SlowSource(library, is_near=False)
    async with serving_far(library, redis_server, source=source) as served:

        async def is_given_back() -> bool:
            before, reads = expired(redis_server), source.reads
            source.gate.clear()
            early = asyncio.create_task(read(served.library))
            try:
                await eventually(lambda: source.reads > reads)
                await served.app.cache_control.invalidate(Invalidation(uri=CORE_URI))
            finally:
                source.gate.set()
            await early
            return await ended_without_expiry(redis_server, before)

        await eventually(is_given_back, deadline_s=5.0)
        assert redis_server.keys("*:resource:*") == []
