"""Apps that share a Redis, in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from choirbook.library.library import Library
from choirbook.redis.store import SharedStore
from tests.support.apps import Served, serving
from tests.support.redis import RedisServer
from tests.support.waiting import eventually


def shared_of(library: Library) -> SharedStore:
    """Return the shared level of a library that has one."""
    assert library.shared is not None
    return library.shared


@asynccontextmanager
async def serving_far(root: Path, redis: RedisServer, **options: Any) -> AsyncIterator[Served]:
    """Serve a directory that counts as far away, once Redis is connected."""
    settings = {"redis_url": redis.url, "shared_reads": "always", **options}
    async with serving(root, **settings) as served:
        await eventually(lambda: shared_of(served.library).is_usable)
        yield served


async def written(library: Library, count: int) -> None:
    """Wait until so many values have been written."""
    await eventually(lambda: shared_of(library).writes >= count)
