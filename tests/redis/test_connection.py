"""The way to a real Redis, as far as the levels above it do not show it; see test_shared.py."""

import shutil
from pathlib import Path

import pytest

from choirbook.redis.connection import RedisConnection
from choirbook.redis.errors import Reason, RedisCallError
from choirbook.redis.url import parse_redis_url
from tests.deploy.secrets import made_secrets
from tests.support.redis import RedisServer
from tests.support.waiting import eventually


async def test_a_link_that_was_not_started_refuses_at_once(redis_server: RedisServer) -> None:
    link = RedisConnection(parse_redis_url(redis_server.url))
    with pytest.raises(RedisCallError, match="open"):
        await link.call("PING", parse=bytes)
    with pytest.raises(RedisCallError, match="open"):
        async with link.subscribe("channel"):
            pass
    assert link.errors == {}


async def test_nothing_of_a_url_with_a_password_is_told(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_server.client() as client:
        client.config_set("requirepass", "right")
    link = RedisConnection(parse_redis_url(f"redis://somebody:hunter2@127.0.0.1:{redis_server.port}"))
    link.start()
    await eventually(lambda: link.errors[Reason.AUTH] > 1)
    await link.stop()
    assert len([record for record in caplog.records if record.name == "choirbook.redis"]) == 1
    assert "is unavailable (auth)" in caplog.text
    assert "hunter2" not in caplog.text
    assert "somebody" not in caplog.text


async def test_files_of_certificates_that_come_late_are_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ca = tmp_path / "ca.pem"
    link = RedisConnection(parse_redis_url(f"rediss://localhost:1/0?ca={ca}"))
    link.start()
    try:
        await eventually(lambda: link.errors[Reason.CONNECTION] == 1)
        assert "the files that its URL names as ca, cert and key (No such file or directory)" in caplog.text
        shutil.copy(made_secrets(tmp_path).directory / "ca.pem", ca)
        # Now it gets as far as that nobody listens there.
        await eventually(lambda: "is unavailable (connection)" in caplog.text)
    finally:
        await link.stop()
