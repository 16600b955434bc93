"""Which requests the edge lets through without a further look."""

from __future__ import annotations

import pytest

from choirbook.http.allowed_hosts import AllowedHosts
from choirbook.http.exchange import Request
from choirbook.servers.asgi.server import AsgiHeaders


def request(*headers: tuple[str, str]) -> Request:
    return Request(
        "GET", "/mcp", "", AsgiHeaders([(name.encode(), value.encode()) for name, value in headers])
    )


HOST = ("host", "localhost:8000")


@pytest.fixture
def hosts() -> AllowedHosts:
    hosts = AllowedHosts(("localhost",), ())
    assert hosts.check(request(HOST)) is None
    return hosts


def test_host_that_was_accepted_once_is_known(hosts: AllowedHosts) -> None:
    assert hosts.is_usual(request(HOST))
    assert not AllowedHosts(("localhost",), ()).is_usual(request(HOST)), "nobody has looked at it yet"


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("host", "localhost:9000"),),
        (HOST, HOST),
        (HOST, ("host", "evil.example")),
        (HOST, ("origin", "http://localhost")),
        (("origin", "http://localhost"),),
    ],
)
def test_any_other_request_is_looked_at(hosts: AllowedHosts, headers: tuple[tuple[str, str], ...]) -> None:
    assert not hosts.is_usual(request(*headers))
