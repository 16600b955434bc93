from pathlib import Path

import pytest

from carrel.errors import HostMisdirected, OriginForbidden
from carrel.http.edge import LOOPBACK_HOSTS, Edge
from carrel.servers.asgi import AsgiHeaders
from tests.support.apps import serving

LOCAL = Edge(LOOPBACK_HOSTS, ())
NAMED = Edge(("Standards.Example", "127.0.0.1"), ("https://agents.example/",))
OPEN = Edge(None, ())


def headers(**values: str) -> AsgiHeaders:
    return AsgiHeaders([(name.encode(), value.encode()) for name, value in values.items()])


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "[::1]", "localhost:8000", "[::1]:8000", "LOCALHOST:1", "127.0.0.1:65535"],
)
def test_this_machine_is_a_host(host: str) -> None:
    assert LOCAL.check(headers(host=host)) is None
    assert LOCAL.check(headers(host=host)) is None, "and stays one when it is remembered"


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "localhost.evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "evil.example#localhost",
        "localhost/",
        "localhost ",
        "localhost:",
        "localhost:http",
        "localhost:123456",
        "::1",
        "[::1",
        "[::2]",
        "localhost, evil.example",
        "127.1",
        "2130706433",
    ],
)
def test_another_host_is_misdirected(host: str) -> None:
    assert isinstance(LOCAL.check(headers(host=host)), HostMisdirected)


def test_a_request_without_a_host_is_misdirected() -> None:
    assert isinstance(LOCAL.check(headers()), HostMisdirected)


def test_named_hosts_are_accepted_in_any_case() -> None:
    assert NAMED.check(headers(host="standards.EXAMPLE:443")) is None
    assert isinstance(NAMED.check(headers(host="localhost")), HostMisdirected)


def test_without_a_list_any_host_will_do() -> None:
    assert OPEN.check(headers(host="anything.example")) is None
    assert OPEN.check(headers()) is None


def test_many_spellings_of_a_host_are_all_accepted() -> None:
    for port in range(1, 1000):
        assert LOCAL.check(headers(host=f"localhost:{port}")) is None


@pytest.mark.parametrize(
    "origin", ["http://localhost", "http://localhost:3000", "https://127.0.0.1:1", "http://[::1]:8000"]
)
def test_pages_of_this_machine_may_call(origin: str) -> None:
    assert LOCAL.check(headers(host="localhost", origin=origin)) is None


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "https://evil.example",
        "http://localhost.evil.example",
        "http://localhost:3000.evil.example",
        "http://evil.example/localhost",
        "http://localhost@evil.example",
        "file://",
        "ftp://localhost",
        "http://localhost/",
        "https://agents.example.evil.example",
        "http://agents.example",
        "https://agents.example:444",
    ],
)
def test_other_pages_may_not(origin: str) -> None:
    for edge in (NAMED, OPEN):
        assert isinstance(edge.check(headers(host="127.0.0.1", origin=origin)), OriginForbidden)


def test_named_origins_may_call() -> None:
    assert NAMED.check(headers(host="127.0.0.1", origin="https://agents.example")) is None


@pytest.mark.parametrize(
    "path", ["/mcp", "/mcp/resources", "/mcp/resources/sdlc/core", "/metrics", "/healthz", "/x"]
)
async def test_no_route_answers_a_stranger(library: Path, path: str) -> None:
    async with serving(library, allowed_hosts=("127.0.0.1",)) as served:
        misdirected = await served.get(path, host="evil.example")
        forbidden = await served.get(path, origin="https://evil.example")
        assert (misdirected.status_code, forbidden.status_code) == (421, 403)
        for response in (misdirected, forbidden):
            assert response.headers["content-type"] == "application/problem+json"
            assert "access-control-allow-origin" not in response.headers
