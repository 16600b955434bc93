"""Counts of the shared level while Redis is down, or does not do what it was asked."""

from __future__ import annotations

from pathlib import Path

from choirbook.redis.errors import Reason
from choirbook.redis.store import LoadLease
from tests.redis.test_store import BYTES, level, slot
from tests.support.redis import RedisServer, running_redis
from tests.support.waiting import eventually


async def test_every_look_up_without_redis_counts_as_one_error(redis_server: RedisServer) -> None:
    async with level(redis_server) as shared:
        redis_server.kill()
        await eventually(lambda: not shared.is_usable)
        for _ in range(3):
            assert await shared.get(slot(shared)) is None
        assert shared.lookups == {"error": 3}


async def test_write_that_redis_does_not_confirm_is_not_counted_as_written(tmp_path: Path) -> None:
    # A proxy or another product may answer SET with something else: here it removes keys, and returns 0.
    renamed = ("--rename-command", "SET", "STORE", "--rename-command", "DEL", "SET")
    with running_redis(tmp_path / "redis", *renamed) as redis:
        async with level(redis) as shared:
            shared.offer(LoadLease(slot(shared).key), BYTES)
            await eventually(lambda: shared.dropped + shared.writes)
            assert (shared.dropped, shared.writes) == (1, 0)
            assert shared.connection.errors[Reason.CORRUPT] == 1
