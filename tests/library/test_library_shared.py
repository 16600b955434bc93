"""Reads of a library with a level that others share."""

import asyncio
from pathlib import Path

import pytest

from choirbook.model import Form, ServedFrom
from choirbook.redis.errors import Reason
from tests.support.apps import serving
from tests.support.metering import value
from tests.support.reading import read
from tests.support.redis import RedisServer, free_port, on_content
from tests.support.sharing import serving_far, shared_of, written
from tests.support.sources import CountingSource
from tests.support.trees import CORE, CORE_URI, PIXEL
from tests.support.waiting import eventually

PATH = "/mcp/resources/sdlc/core"


async def test_what_one_host_loaded_another_has_from_redis(library: Path, redis_server: RedisServer) -> None:
    source = CountingSource(library, is_near=False)
    async with (
        serving_far(library, redis_server) as one,
        serving_far(library, redis_server, source=source) as two,
    ):
        first = await one.get(PATH, accept="text/*")
        await written(one.library, 1)
        second = await two.get(PATH, accept="text/*")
        third = await two.get(PATH, accept="text/*")
        assert [r.headers["x-cache"] for r in (first, second, third)] == ["miss", "shared", "hit"]
        assert first.text == second.text == third.text == CORE
        for name in ("etag", "last-modified", "content-type", "cache-control", "vary"):
            assert first.headers[name] == second.headers[name] == third.headers[name]
        assert source.reads == 0


@pytest.mark.parametrize("form", list(Form))
async def test_every_form_comes_back_as_it_was_made(
    library: Path, redis_server: RedisServer, form: Form
) -> None:
    uri = "mcp://resources/files/images/pixel.png" if form is Form.MCP_MODERN else CORE_URI
    async with serving_far(library, redis_server) as one, serving_far(library, redis_server) as two:
        made = await read(one.library, uri, form)
        await written(one.library, 1)
        found = await read(two.library, uri, form)
        assert (made.served_from, found.served_from) == (ServedFrom.MISS, ServedFrom.SHARED)
        assert found.representation == made.representation
        assert two.library.etag(found.info, form) == made.representation.etag


async def test_a_source_that_is_near_is_asked_at_once(library: Path, redis_server: RedisServer) -> None:
    async with serving(library, redis_url=redis_server.url) as served:
        await eventually(lambda: shared_of(served.library).is_usable)
        assert (await read(served.library)).served_from is ServedFrom.MISS
        assert shared_of(served.library).lookups == {}
    assert redis_server.keys("*:resource:*") == []


async def test_a_hit_in_memory_sends_no_command(library: Path, redis_server: RedisServer) -> None:
    async with serving_far(library, redis_server) as served:
        await read(served.library)
        await written(served.library, 1)
        with redis_server.listening() as commands:
            for _ in range(1000):
                assert (await read(served.library)).served_from is ServedFrom.HIT
    assert on_content(commands) == []


async def test_uris_that_name_nothing_make_no_key_and_no_command(
    library: Path, redis_server: RedisServer
) -> None:
    async with serving_far(library, redis_server) as served:
        await read(served.library)
        await written(served.library, 1)
        keys = redis_server.keys("*:resource:*")
        with redis_server.listening() as commands:
            for number in range(500):
                response = await served.get(f"/mcp/resources/sdlc/invented-{number}")
                assert response.status_code == 404
        assert redis_server.keys("*:resource:*") == keys
        assert on_content(commands) == []


async def test_a_hostile_value_is_replaced_by_the_source(library: Path, redis_server: RedisServer) -> None:
    async with serving_far(library, redis_server) as one, serving_far(library, redis_server) as two:
        await read(one.library)
        await written(one.library, 1)
        (key,) = redis_server.keys("*:resource:*")
        with redis_server.client() as client:
            client.set(key, b"cos\nsystem\n(S'touch hacked'\ntR.")
        reading = await read(two.library)
        assert (reading.served_from, reading.representation.body) == (ServedFrom.MISS, CORE.encode())
        await written(two.library, 1)
        page = await two.metrics()
        assert value(page, "choirbook_shared_cache_lookups_total", result="corrupt") == 1
        assert value(page, "choirbook_redis_errors_total", reason="corrupt") == 1


async def test_another_version_has_another_key(library: Path, redis_server: RedisServer) -> None:
    async with serving_far(library, redis_server) as served:
        await read(served.library)
        await written(served.library, 1)
        before = redis_server.keys("*:resource:*")
        file = library / "sdlc-core.md"
        file.write_text("# Edited\n")
        served.library.follower.scan_soon()
        await eventually(lambda: served.library.find(CORE_URI).size == len("# Edited\n"))
        reading = await read(served.library)
        assert (reading.served_from, reading.representation.body) == (ServedFrom.MISS, b"# Edited\n")
        await written(served.library, 2)
    # That of the version that nobody is to get any more is gone.
    after = redis_server.keys("*:resource:*")
    assert (len(before), len(after)) == (1, 1)
    assert before != after


async def test_a_redis_that_is_not_there_is_told_once_and_reads_go_on(
    library: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(
        library, redis_url=f"redis://127.0.0.1:{free_port()}", shared_reads="always", cache_ttl_s=0.001
    ) as served:
        shared = shared_of(served.library)
        await eventually(lambda: shared.connection.errors[Reason.CONNECTION] > 1)
        for path in (PATH, "/mcp/resources/files/images/pixel.png?format=raw"):
            response = await served.get(path, accept="*/*")
            assert response.status_code == 200
            assert response.headers["x-cache"] == "miss"
        assert response.content == PIXEL
        page = await served.metrics()
        assert value(page, "choirbook_shared_cache_up") == 0
        assert value(page, "choirbook_redis_errors_total", reason="connection") > 1
    assert len([r for r in caplog.records if "Redis at 127.0.0.1" in r.getMessage()]) == 1


async def test_the_metric_shows_that_redis_is_used_and_that_it_is_not(
    library: Path, redis_server: RedisServer
) -> None:
    async with serving_far(library, redis_server) as served:
        assert value(await served.metrics(), "choirbook_shared_cache_up") == 1
        redis_server.kill()
        await read(served.library)
        assert value(await served.metrics(), "choirbook_shared_cache_up") == 0


async def test_a_thousand_cold_reads_ask_redis_once(library: Path, redis_server: RedisServer) -> None:
    async with serving_far(library, redis_server) as served:
        readings = await asyncio.gather(*(read(served.library) for _ in range(1000)))
        assert {reading.representation.body for reading in readings} == {CORE.encode()}
        assert shared_of(served.library).lookups == {"miss": 1}
