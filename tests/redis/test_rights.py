"""Permissions that the user of Redis needs: the documented list is enough, and missing ones are named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from choirbook.model import Invalidation, ServedFrom
from choirbook.redis.errors import COMMANDS
from tests.support.apps import Served, serving
from tests.support.metering import value
from tests.support.reading import read
from tests.support.redis import RedisServer
from tests.support.sharing import serving_far, shared_of, written
from tests.support.trees import CORE, CORE_URI, replace
from tests.support.waiting import eventually

DOCUMENT = Path(__file__).parents[2] / "docs" / "deploying.md"
PASSWORD = "correct-horse-battery"  # noqa: S105 - of a Redis that lives as long as a test


def documented() -> list[str]:
    """Return the rules of the user that the documentation sets up."""
    (line,) = re.findall(r"^ACL SETUSER choirbook reset on (.*)$", DOCUMENT.read_text(), re.MULTILINE)
    return [word for word in str(line).split() if not word.startswith(">")]


def allowed() -> set[str]:
    return {word[1:].upper() for word in documented() if word.startswith("+")}


@contextmanager
def user(redis: RedisServer, *rules: str) -> Iterator[str]:
    """Give the Redis a user; yields a URL of that user, with a database that is not 0."""
    with redis.client() as client:
        client.execute_command("ACL", "SETUSER", "choirbook", "reset", "on", f">{PASSWORD}", *rules)
        client.execute_command("ACL", "LOG", "RESET")
        yield f"redis://choirbook:{PASSWORD}@127.0.0.1:{redis.port}/1"


def test_documented_commands_are_those_that_are_sent() -> None:
    assert allowed() == set(COMMANDS)


async def test_documented_user_may_do_all_that_is_done(library: Path, redis_server: RedisServer) -> None:
    with user(redis_server, *documented()) as url, redis_server.client(db=1) as client:
        async with (
            serving_far(library, redis_server, redis_url=url, watch=True) as one,
            serving_far(library, redis_server, redis_url=url) as two,
        ):
            await _do_everything(library, one, two)
            client.flushdb()
            await eventually(lambda: client.exists("choirbook:library:feed"))
            client.hset("choirbook:library:other", "field", "value")
            client.rename("choirbook:library:other", "choirbook:library:feed")
            await eventually(lambda: client.type("choirbook:library:feed") == b"string")
            for served in (one, two):
                assert not shared_of(served.library).connection.denied
        assert client.execute_command("ACL", "LOG") == []
        # HELLO brings the password along, so AUTH is for a Redis that does not know HELLO.
        used = {name.upper() for name in redis_server.commands()}
        assert set(COMMANDS) - {"AUTH"} <= used


async def _do_everything(library: Path, one: Served, two: Served) -> None:
    await read(one.library)
    await written(one.library, 1)
    assert (await read(two.library)).served_from is ServedFrom.SHARED
    before = shared_of(two.library).feed.epoch("sdlc")
    await one.app.cache_control.invalidate(Invalidation(uri=CORE_URI))
    await one.app.cache_control.invalidate(Invalidation(type="sdlc"))
    await eventually(lambda: shared_of(two.library).feed.epoch("sdlc") > before)
    replace(library / "sdlc-core.md", "# Edited\n")
    await eventually(lambda: two.library.find(CORE_URI).size == 9)


NEEDED = sorted(set(COMMANDS) - {"AUTH", "HELLO"})
"""Redis lets everybody log in."""


@pytest.mark.parametrize("command", NEEDED)
async def test_missing_command_is_named_in_the_log_and_in_a_metric(
    library: Path, redis_server: RedisServer, command: str, caplog: pytest.LogCaptureFixture
) -> None:
    rules = [*documented(), f"-{command.lower()}"]
    with user(redis_server, *rules) as url:
        async with serving(library, redis_url=url, shared_reads="always", cache_ttl_s=0.001) as served:

            async def is_told() -> bool:
                assert (await read(served.library)).representation.body == CORE.encode()
                await served.app.cache_control.invalidate(Invalidation(uri=CORE_URI))
                return bool(re.search(rf"lacks permission to run [^.]*\b{command}\b", caplog.text))

            await eventually(is_told)
            denied = shared_of(served.library).connection.denied
            name = command if denied[command] else "EVAL"
            page = await served.metrics()
            assert value(page, "choirbook_redis_denied_commands_total", command=name) >= 1
            assert value(page, "choirbook_redis_errors_total", reason="permission") >= 1
    told = [record for record in caplog.records if f"lacks permission to run {name}" in record.getMessage()]
    assert len(told) == 1


async def test_feed_is_down_where_nothing_may_be_published(
    library: Path, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    with user(redis_server, *documented(), "-publish") as url:
        async with serving(library, redis_url=url, shared_reads="always") as served:
            link = shared_of(served.library).connection
            await eventually(lambda: link.denied["PUBLISH"] > 2)
            page = await served.metrics()
            assert value(page, "choirbook_feed_up") == 0
            # The rest of Redis works, so that it is not this that an operator looks for.
            assert value(page, "choirbook_shared_cache_up") == 1
            with redis_server.client() as client:
                client.execute_command("ACL", "SETUSER", "choirbook", "+publish")
            await eventually(lambda: shared_of(served.library).feed.is_up)
            assert value(await served.metrics(), "choirbook_feed_up") == 1
    assert "lacks permission to run PUBLISH" in caplog.text


@pytest.mark.parametrize("rules", [("resetkeys", "~other:*"), ("resetchannels", "&other:*")])
async def test_keys_and_channels_of_others_are_named_too(
    library: Path, redis_server: RedisServer, rules: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    with user(redis_server, *documented(), *rules) as url:
        async with serving(library, redis_url=url, shared_reads="always") as served:
            await eventually(lambda: shared_of(served.library).connection.denied.total() > 0)
            assert not shared_of(served.library).feed.is_up
    assert "or to use the keys and channels 'choirbook:*'" in caplog.text
