"""Adapter to redis-py, without a Redis; with one, see test_shared.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from redis import exceptions
from redis.asyncio import SSLConnection, UnixDomainSocketConnection

from choirbook.errors import ExtraMissing
from choirbook.redis.client import make_pool, reason_of, require_client_library
from choirbook.redis.errors import Reason
from choirbook.redis.signatures import Corrupt
from choirbook.redis.url import parse_redis_url
from tests.deploy.secrets import made_secrets


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Corrupt("not a value"), Reason.CORRUPT),
        (TimeoutError(), Reason.TIMEOUT),
        (exceptions.TimeoutError(), Reason.TIMEOUT),
        (exceptions.AuthenticationError(), Reason.AUTH),
        (exceptions.NoPermissionError(), Reason.PERMISSION),
        (exceptions.ResponseError("The user executing the script can't run this command"), Reason.PERMISSION),
        (exceptions.AuthorizationError(), Reason.AUTH),
        (exceptions.BusyLoadingError(), Reason.LOADING),
        (exceptions.ReadOnlyError(), Reason.READ_ONLY),
        (exceptions.OutOfMemoryError(), Reason.FULL),
        (exceptions.ResponseError(), Reason.REPLY),
        (exceptions.ConnectionError(), Reason.CONNECTION),
        (ConnectionResetError(), Reason.CONNECTION),
        (exceptions.InvalidResponse(), Reason.PROTOCOL),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "of bytes that are not Redis's"), Reason.PROTOCOL),
    ],
)
def test_each_error_has_the_reason_that_says_most_of_it(error: Exception, reason: Reason) -> None:
    assert reason_of(error) is reason


def test_a_library_that_is_not_installed_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ExtraMissing, match=r"pip install 'choirbook\[redis\]'"):
        require_client_library()


def test_the_options_of_a_url_reach_the_connections(tmp_path: Path) -> None:
    ca = made_secrets(tmp_path).directory / "ca.pem"
    pool = make_pool(parse_redis_url(f"rediss://choirbook:pass@redis:6380/3?ca={ca}"), 0.05)
    options = pool.connection_kwargs
    assert (options["host"], options["port"], options["db"]) == ("redis", 6380, 3)
    assert (options["username"], options["password"]) == ("choirbook", "pass")
    one, two = (pool.make_connection().ssl_context.get() for _ in range(2))  # type: ignore[no-untyped-call]
    # One for all connections: making it takes longer than one of them may.
    assert one is two
    assert one.check_hostname
    assert [found["subject"] for found in one.get_ca_certs()] == [((("commonName", "Choirbook Redis CA"),),)]
    assert options["socket_connect_timeout"] == 0.05


@pytest.mark.parametrize(
    ("text", "kind"),
    [("rediss://redis", SSLConnection), ("unix:///run/redis.sock", UnixDomainSocketConnection)],
)
def test_a_url_decides_the_kind_of_connection(text: str, kind: type) -> None:
    assert issubclass(make_pool(parse_redis_url(text), 0.05).connection_class, kind)
