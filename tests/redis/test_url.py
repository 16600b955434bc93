from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.errors import InvalidSettings
from choirbook.redis.url import RedisUrl, parse_redis_url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://localhost", RedisUrl(host="localhost")),
        ("redis://10.0.0.1:6380/3", RedisUrl(host="10.0.0.1", port=6380, database=3)),
        ("redis://[::1]:6380/", RedisUrl(host="::1", port=6380)),
        ("redis://:p%40ss@redis", RedisUrl(host="redis", password="p@ss")),  # noqa: S106 - it opens nothing
        (
            "redis://choirbook:pass@redis?db=2",
            RedisUrl(host="redis", username="choirbook", password="pass", database=2),  # noqa: S106 - it opens nothing
        ),
        ("rediss://redis?ca=/etc/ca.pem", RedisUrl(host="redis", tls=True, ca_file="/etc/ca.pem")),
        ("unix:///run/redis.sock?db=1", RedisUrl(socket="/run/redis.sock", database=1)),
    ],
)
def test_an_address_is_read(text: str, expected: RedisUrl) -> None:
    assert parse_redis_url(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must begin with"),
        ("localhost:6379", "must begin with"),
        ("http://localhost", "must begin with"),
        ("redis://", "has no host"),
        ("redis://:secret@", "has no host"),
        ("redis://host:port", "host or port"),
        ("redis://host:99999", "host or port"),
        ("redis://[::1", "host or port"),
        ("redis://host/zero", "database is not a number"),
        ("redis://host/-1", "database is not a number"),
        ("redis://host/1/2", "database is not a number"),
        ("redis://host/99999999999999999999", "database is not a number"),
        ("redis://ho st", "percent-encode"),
        ("redis://host\n", "percent-encode"),
        ("redis://host?socket_timeout=100", "query may have only"),
        ("redis://host?ca=/etc/ca.pem", "query may have only"),
        ("rediss://host?ssl_cert_reqs=none", "query may have only"),
        ("redis://host?password=x", "query may have only"),
        ("unix://run/redis.sock", "has no socket path"),
        ("unix:///", "has no socket path"),
    ],
)
def test_what_is_wrong_with_an_address_is_told(text: str, why: str) -> None:
    with pytest.raises(InvalidSettings, match=why) as caught:
        parse_redis_url(text)
    assert "redis://[user:password@]host" in caught.value.message


@given(text=st.text() | st.text().map(lambda rest: f"redis://{rest}"))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    with suppress(InvalidSettings):
        assert parse_redis_url(text).place


@pytest.mark.parametrize(
    "text",
    [
        "redis://somebody:hunter2@host:port",
        "redis://somebody:hunter2@host/x",
        "redis://somebody:hunter2/not-escaped@host",
    ],
)
def test_a_refusal_shows_nothing_of_the_address(text: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        parse_redis_url(text)
    assert "hunter2" not in caught.value.message
    assert "somebody" not in caught.value.message


def test_an_address_shows_where_and_not_who() -> None:
    url = parse_redis_url("rediss://somebody:hunter2@host:1/2")
    assert repr(url) == "RedisUrl(host:1, database 2)"
    assert url.place == "host:1, database 2"
