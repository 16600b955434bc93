"""One load for all processes: leases of far sources, on a real Redis."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from choirbook.errors import ResourceUnreadable
from choirbook.model import Form, Invalidation, ServedFrom
from choirbook.redis.store import LEASE_S
from tests.support.reading import read
from tests.support.redis import RedisServer
from tests.support.servers import REPOSITORY, environment
from tests.support.sharing import serving_far, shared_of, written
from tests.support.sources import EIO, CountingSource, FailingSource, SlowSource
from tests.support.trees import CORE, CORE_URI
from tests.support.waiting import eventually

LEASES = "choirbook:library:lease:*"


async def test_of_several_processes_one_loads_and_the_others_wait(
    library: Path, redis_server: RedisServer
) -> None:
    slow, other = SlowSource(library, is_near=False), CountingSource(library, is_near=False)
    async with (
        serving_far(library, redis_server, source=slow) as one,
        serving_far(library, redis_server, source=other) as two,
    ):
        leader = asyncio.create_task(read(one.library))
        await eventually(lambda: slow.reads == 1)
        waiters = [asyncio.create_task(read(two.library)) for _ in range(20)]
        await eventually(lambda: shared_of(two.library).lookups["miss"] == 1)
        slow.gate.set()
        readings = await asyncio.gather(leader, *waiters)
        assert {reading.representation.body for reading in readings} == {CORE.encode()}
        assert readings[0].served_from is ServedFrom.MISS
        assert {reading.served_from for reading in readings[1:]} == {ServedFrom.SHARED}
        made_of = [[stage.name for stage in reading.stages] for reading in readings]
        assert made_of[0] == ["cache.memory", "cache.shared", "queue", "source.read", "render"]
        assert made_of[1:] == [["cache.memory", "cache.shared"]] * 20
        assert (slow.reads, other.reads) == (1, 0)
        await eventually(lambda: not redis_server.keys(LEASES))


async def test_a_leader_whose_source_fails_leaves_the_turn_to_others(
    library: Path, redis_server: RedisServer
) -> None:
    source = FailingSource(library, is_near=False)
    source.error = EIO
    async with (
        serving_far(library, redis_server, source=source) as one,
        serving_far(library, redis_server) as two,
    ):
        with pytest.raises(ResourceUnreadable):
            await read(one.library)
        await eventually(lambda: not redis_server.keys(LEASES))
        assert (await read(two.library)).served_from is ServedFrom.MISS


_LEADER = """
import asyncio, sys
from pathlib import Path
from tests.support.reading import read
from tests.support.sharing import serving_far
from tests.support.sources import SlowSource

class Elsewhere:
    url = sys.argv[2]

async def main():
    root = Path(sys.argv[1])
    source = SlowSource(root, is_near=False)
    async with serving_far(root, Elsewhere(), source=source) as served:
        reading = asyncio.create_task(read(served.library))
        while not source.reads:
            await asyncio.sleep(0.01)
        print("loading", flush=True)
        await reading

asyncio.run(main())
"""


async def test_waiters_are_served_when_the_leader_is_killed(library: Path, redis_server: RedisServer) -> None:
    source = CountingSource(library, is_near=False)
    async with serving_far(library, redis_server, source=source) as served:
        command = [sys.executable, "-c", _LEADER, str(library), redis_server.url]
        leader = await asyncio.to_thread(
            subprocess.Popen, command, env=environment(), cwd=REPOSITORY, stdout=subprocess.PIPE
        )
        assert leader.stdout is not None
        try:
            assert await asyncio.to_thread(leader.stdout.readline) == b"loading\n"
            assert len(redis_server.keys(LEASES)) == 1
            waiters = [asyncio.create_task(read(served.library)) for _ in range(20)]
            await eventually(lambda: shared_of(served.library).lookups["miss"] == 1)
            os.kill(leader.pid, signal.SIGKILL)
            async with asyncio.timeout(LEASE_S + 2.0):
                readings = await asyncio.gather(*waiters)
        finally:
            leader.kill()
            await asyncio.to_thread(leader.wait)
            leader.stdout.close()
        assert {reading.representation.body for reading in readings} == {CORE.encode()}
        assert source.reads == 1


async def test_waiters_load_for_themselves_when_redis_dies(library: Path, redis_server: RedisServer) -> None:
    slow, other = SlowSource(library, is_near=False), CountingSource(library, is_near=False)
    async with (
        serving_far(library, redis_server, source=slow) as one,
        serving_far(library, redis_server, source=other) as two,
    ):
        leader = asyncio.create_task(read(one.library))
        await eventually(lambda: slow.reads == 1)
        waiter = asyncio.create_task(read(two.library))
        await eventually(lambda: shared_of(two.library).lookups["miss"] == 1)
        redis_server.kill()
        assert (await waiter).representation.body == CORE.encode()
        assert other.reads == 1
        slow.gate.set()
        assert (await leader).representation.body == CORE.encode()


async def test_what_is_loaded_while_it_is_invalidated_is_kept_by_nobody(
    library: Path, redis_server: RedisServer
) -> None:
    slow = SlowSource(library, is_near=False)
    async with serving_far(library, redis_server, source=slow) as served:
        early = asyncio.create_task(read(served.library))
        await eventually(lambda: slow.reads == 1)
        await served.app.cache_control.invalidate(Invalidation(uri=CORE_URI))
        late = asyncio.create_task(read(served.library))
        slow.gate.set()
        readings = await asyncio.gather(early, late)
        assert {reading.representation.body for reading in readings} == {CORE.encode()}
        assert slow.reads == 2
        await written(served.library, 1)


async def test_a_document_too_long_to_share_waits_for_nobody(
    library: Path, redis_server: RedisServer
) -> None:
    (library / "long.md").write_bytes(b"x" * 1_100_000)
    os.utime(library / "long.md", (1, 1))
    async with serving_far(library, redis_server) as served:
        uri = "mcp://resources/files/long.md"
        assert (await read(served.library, uri)).served_from is ServedFrom.MISS
        assert (await read(served.library, uri, Form.JSON)).served_from is ServedFrom.MISS
        assert shared_of(served.library).lookups == {}
    assert redis_server.keys(LEASES) == []
