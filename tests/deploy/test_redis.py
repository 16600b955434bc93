"""Redis as it is deployed: with the certificate, the user and the arguments of the manifests, for real."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import redis
import yaml

from choirbook.model import ServedFrom
from choirbook.settings import Settings
from tests.deploy.secrets import SCRIPT, Secrets, made_secrets
from tests.redis.test_rights import documented
from tests.support.apps import serving
from tests.support.reading import read
from tests.support.redis import RedisServer
from tests.support.sharing import shared_of, written
from tests.support.waiting import eventually

COMPOSE = SCRIPT.parents[1] / "compose" / "compose.yaml"
IN_CONTAINERS = "/run/redis"


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    return made_secrets(tmp_path, "localhost")


def arguments(secrets: Secrets, port: int) -> list[str]:
    """Return the arguments of the compose project, with files and port of this machine."""
    (_, *found) = yaml.safe_load(COMPOSE.read_text())["services"]["redis"]["command"]
    found[found.index("--tls-port") + 1] = str(port)
    return [argument.replace(IN_CONTAINERS, str(secrets.directory)) for argument in found]


def test_user_has_the_documented_rights_and_no_other_user_is_on(secrets: Secrets) -> None:
    lines = (secrets.directory / "users.acl").read_text().splitlines()
    assert lines[0] == "user default off"
    assert [word for word in lines[1].split() if not word.startswith(">")] == [
        *("user", "choirbook", "reset", "on"),
        *documented(),
    ]


def test_nobody_else_may_enter_the_directory_and_each_run_makes_other_secrets(
    secrets: Secrets, tmp_path: Path
) -> None:
    assert secrets.directory.stat().st_mode & 0o077 == 0
    before = secrets.environment
    assert made_secrets(tmp_path).environment["CHOIRBOOK_REDIS_SECRET"] != before["CHOIRBOOK_REDIS_SECRET"]
    assert not {file.name for file in secrets.directory.iterdir()} & {"ca.key", "tls.csr"}


async def test_hosts_share_through_redis_as_it_is_deployed(
    secrets: Secrets, library: Path, tmp_path: Path
) -> None:
    server = RedisServer(tmp_path / "redis")
    server.start(*arguments(secrets, server.port))
    made = secrets.environment
    url = (
        made["REDIS_URL"].replace(":6379/", f":{server.port}/").replace(IN_CONTAINERS, str(secrets.directory))
    )
    far = {"redis_url": url, "redis_secret": made["CHOIRBOOK_REDIS_SECRET"], "shared_reads": "always"}
    try:
        assert Settings(redis_url=url, redis_secret=made["CHOIRBOOK_REDIS_SECRET"]).redis_secret
        async with serving(library, **far) as one, serving(library, **far) as two:
            for served in (one, two):
                await eventually(lambda served=served: shared_of(served.library).is_usable)  # type: ignore[misc]
            await read(one.library)
            await written(one.library, 1)
            assert (await read(two.library)).served_from is ServedFrom.SHARED
            for served in (one, two):
                assert not shared_of(served.library).connection.denied
        plain = server.client(socket_timeout=5)
        with pytest.raises(redis.ConnectionError):
            plain.ping()
        ca = str(secrets.directory / "ca.pem")
        with (
            redis.Redis(host="localhost", port=server.port, ssl=True, ssl_ca_certs=ca) as nobody,
            pytest.raises(redis.AuthenticationError),
        ):
            nobody.get("choirbook:library:feed")
    finally:
        server.kill()


def test_script_says_how_it_is_called() -> None:
    done = subprocess.run([SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "usage: make-secrets DIR" in done.stderr
