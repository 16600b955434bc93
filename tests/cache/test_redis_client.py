"""What Carrel makes of redis-py, without a Redis; with one, see test_shared.py."""

from __future__ import annotations

import sys

import pytest
from redis import exceptions
from redis.asyncio import SSLConnection, UnixDomainSocketConnection

from carrel.cache.failures import Reason
from carrel.cache.redis_client import make_pool, reason_of, require_client_library
from carrel.cache.sealing import Corrupt
from carrel.errors import ExtraMissing
from carrel.redis_url import parse_redis_url


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
    with pytest.raises(ExtraMissing, match=r"pip install 'carrel\[redis\]'"):
        require_client_library()


def test_the_options_of_a_url_reach_the_connections() -> None:
    url = parse_redis_url("rediss://carrel:pass@redis:6380/3?ca=/etc/ca.pem")
    options = make_pool(url, 0.05).connection_kwargs
    assert (options["host"], options["port"], options["db"]) == ("redis", 6380, 3)
    assert (options["username"], options["password"]) == ("carrel", "pass")
    assert options["ssl_ca_certs"] == "/etc/ca.pem"
    assert options["socket_connect_timeout"] == 0.05


@pytest.mark.parametrize(
    ("text", "kind"),
    [("rediss://redis", SSLConnection), ("unix:///run/redis.sock", UnixDomainSocketConnection)],
)
def test_a_url_decides_the_kind_of_connection(text: str, kind: type) -> None:
    assert make_pool(parse_redis_url(text), 0.05).connection_class is kind
