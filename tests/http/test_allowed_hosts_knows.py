"""Which requests the edge lets through without a further look."""

from __future__ import annotations

import pytest

from choirbook.http.allowed_hosts import Edge
from choirbook.http.exchange import Request
from choirbook.servers.asgi.server import AsgiHeaders


def request(*headers: tuple[str, str]) -> Request:
    return Request(
        "GET", "/mcp", "", AsgiHeaders([(name.encode(), value.encode()) for name, value in headers])
    )


HOST = ("host", "localhost:8000")


@pytest.fixture
def edge() -> Edge:
    edge = Edge(("localhost",), ())
    assert edge.check(request(HOST)) is None
    return edge


def test_host_that_was_accepted_once_is_known(edge: Edge) -> None:
    assert edge.knows(request(HOST))
    assert not Edge(("localhost",), ()).knows(request(HOST)), "nobody has looked at it yet"


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
def test_any_other_request_is_looked_at(edge: Edge, headers: tuple[tuple[str, str], ...]) -> None:
    assert not edge.knows(request(*headers))
