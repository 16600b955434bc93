from pathlib import Path

import pytest

from choirbook.errors import HostMisdirected, InvalidRequest, InvalidSettings, OriginForbidden
from choirbook.http.allowed_hosts import LOOPBACK_HOSTS, AllowedHosts, hosts_of
from choirbook.http.exchange import Request
from choirbook.servers.asgi.server import AsgiConnection, AsgiHeaders
from choirbook.settings import Settings
from tests.support.apps import serving

LOCAL = AllowedHosts(LOOPBACK_HOSTS, ())
NAMED = AllowedHosts(("Standards.Example", "127.0.0.1"), ("https://agents.example/",))
OPEN = AllowedHosts(None, ())
EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing is bound


def sent(path: str = "/mcp", **values: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in values.items()}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in named.items()]
    return Request("GET", path, "", AsgiHeaders(raw))


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "[::1]", "localhost:8000", "[::1]:8000", "LOCALHOST:1", "127.0.0.1:65535"],
)
def test_this_machine_is_a_host(host: str) -> None:
    assert LOCAL.check(sent(host=host)) is None
    assert LOCAL.check(sent(host=host)) is None, "and stays one when it is remembered"


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
    assert isinstance(LOCAL.check(sent(host=host)), HostMisdirected)


def test_a_request_without_a_host_is_misdirected() -> None:
    assert isinstance(LOCAL.check(sent()), HostMisdirected)


def test_named_hosts_are_accepted_in_any_case() -> None:
    assert NAMED.check(sent(host="standards.EXAMPLE:443")) is None
    assert isinstance(NAMED.check(sent(host="localhost")), HostMisdirected)


def test_without_a_list_any_host_will_do() -> None:
    assert OPEN.check(sent(host="anything.example")) is None
    assert OPEN.check(sent()) is None


def test_many_spellings_of_a_host_are_all_accepted() -> None:
    for port in range(1, 1000):
        assert LOCAL.check(sent(host=f"localhost:{port}")) is None


@pytest.mark.parametrize(
    "origin", ["http://localhost", "http://localhost:3000", "https://127.0.0.1:1", "http://[::1]:8000"]
)
def test_pages_of_this_machine_may_call(origin: str) -> None:
    assert LOCAL.check(sent(host="localhost", origin=origin)) is None


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
    for hosts in (NAMED, OPEN):
        assert isinstance(hosts.check(sent(host="127.0.0.1", origin=origin)), OriginForbidden)


def test_named_origins_may_call() -> None:
    assert NAMED.check(sent(host="127.0.0.1", origin="https://agents.example")) is None


@pytest.mark.parametrize(
    "path", ["/", "/mcp", "/mcp/", "/mcp/resources", "/mcp/resources/sdlc/core", "/openapi.json", "/x"]
)
async def test_no_route_answers_a_stranger(library: Path, path: str) -> None:
    async with serving(library, allowed_hosts=("127.0.0.1",)) as served:
        misdirected = await served.get(path, host="evil.example")
        forbidden = await served.get(path, origin="https://evil.example")
        assert (misdirected.status_code, forbidden.status_code) == (421, 403)
        for response in (misdirected, forbidden):
            assert response.headers["content-type"] == "application/problem+json"
            assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("hosts", [NAMED, OPEN])
@pytest.mark.parametrize("name", ["host", "origin"])
def test_a_repeated_or_unreadable_name_is_malformed(hosts: AllowedHosts, name: str) -> None:
    usual = [(b"host", b"127.0.0.1"), (b"origin", b"http://localhost")]
    value = dict(usual)[name.encode()]
    for spoiled in (
        [*usual, (name.encode(), value)],
        [(b"host", b"127.0.0.1"), (name.encode(), b"\xe9")],
    ):
        request = Request("GET", "/mcp", "", AsgiHeaders(spoiled))
        assert not hosts.is_usual(request)
        assert isinstance(hosts.check(request), InvalidRequest)


def test_a_known_host_hides_no_second_one() -> None:
    hosts = AllowedHosts(("localhost",), ())
    assert hosts.check(sent(host="localhost")) is None
    assert hosts.is_usual(sent(host="localhost"))
    twice = Request("GET", "/mcp", "", AsgiHeaders([(b"host", b"localhost"), (b"host", b"evil.example")]))
    assert not hosts.is_usual(twice)
    assert isinstance(hosts.check(twice), InvalidRequest)


@pytest.mark.parametrize(
    ("authority", "host", "wanted"),
    [
        ("localhost:80", "localhost:80", None),
        ("LOCALHOST:80", "localhost:80", None),
        ("localhost", None, None),
        ("evil.example", "localhost", InvalidRequest),
        ("localhost", "evil.example", InvalidRequest),
        ("evil.example", "evil.example", HostMisdirected),
        ("evil.example", None, HostMisdirected),
        ("user@localhost", None, HostMisdirected),
    ],
)
def test_the_authority_of_the_request_line_is_that_of_host(
    authority: str, host: str | None, wanted: type[Exception] | None
) -> None:
    hosts = AllowedHosts(("localhost",), ())
    assert hosts.check(sent(host="localhost")) is None
    raw = [] if host is None else [(b"host", host.encode())]
    request = Request("GET", "/mcp", "", AsgiHeaders(raw), connection=AsgiConnection(None, authority))
    assert not hosts.is_usual(request)
    found = hosts.check(request)
    assert found is None if wanted is None else isinstance(found, wanted)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_and_scrapes_come_by_any_name(path: str) -> None:
    for request in (sent(path, host="10.0.0.7:8000"), sent(path), sent(path, host="")):
        assert NAMED.check(request) is None
    assert isinstance(
        NAMED.check(sent(path, host="127.0.0.1", origin="https://evil.example")), OriginForbidden
    )
    assert isinstance(NAMED.check(sent(host="10.0.0.7:8000")), HostMisdirected), "and no other path does"


@pytest.mark.parametrize(
    ("host", "origin", "site"),
    [
        ("std.example", "https://std.example", None),
        ("std.example:443", "https://std.example", None),
        ("std.example", "http://std.example:80", None),
        ("std.example:8443", "https://STD.example:8443", None),
        # nginx passes `$host`, which has no port.
        ("std.example", "https://std.example:8443", "same-origin"),
        ("[::1]:8000", "https://[::1]", "same-origin"),
        # Without `proxy_set_header Host`, nginx sends the address that it connects to.
        ("[::1]:8000", "https://std.example", "same-origin"),
        ("[::1]:8000", "https://STD.example:8443", "same-origin"),
    ],
)
def test_pages_of_the_server_itself_may_call(host: str, origin: str, site: str | None) -> None:
    hosts = AllowedHosts(("std.example", "::1"), ())
    more = {} if site is None else {"sec_fetch_site": site}
    assert hosts.check(sent(host=host, origin=origin, **more)) is None


@pytest.mark.parametrize(
    ("host", "origin", "site"),
    [
        ("std.example", "https://std.example:8443", None),
        ("std.example", "https://std.example", "same-site"),
        ("std.example", "https://std.example", "cross-site"),
        ("std.example", "https://other.example", "same-origin"),
        ("127.0.0.1:8000", "https://other.example", "same-origin"),
        ("127.0.0.1:8000", "https://std.example", "same-site"),
        ("127.0.0.1:8000", "https://std.example", None),
        ("std.example", "ftp://std.example", None),
        ("std.example", "https://std.example.evil.example", None),
        ("std.example", "https://std.example/", None),
        ("std.example", "https://x@std.example", None),
    ],
)
def test_pages_of_its_name_alone_may_not(host: str, origin: str, site: str | None) -> None:
    hosts = AllowedHosts(("std.example", "127.0.0.1"), ())
    more = {} if site is None else {"sec_fetch_site": site}
    assert isinstance(hosts.check(sent(host=host, origin=origin, **more)), OriginForbidden)


def test_without_a_list_a_rebound_name_is_not_the_servers_own() -> None:
    for hosts in (OPEN, AllowedHosts(("*",), ())):
        rebound = sent(host="evil.example", origin="http://evil.example")
        assert isinstance(hosts.check(rebound), OriginForbidden)
        own = sent(host="std.example", origin="https://std.example", sec_fetch_site="same-origin")
        assert hosts.check(own) is None


def test_beyond_loopback_names_are_listed() -> None:
    with pytest.raises(InvalidSettings, match="--allowed-host"):
        hosts_of(Settings(host=EVERYWHERE, public=True))
    assert hosts_of(Settings(host=EVERYWHERE, public=True, allowed_hosts=("std.example",))) == (
        *LOOPBACK_HOSTS,
        "std.example",
    )
    assert hosts_of(Settings(host="::", public=True, allowed_hosts=("*",))) is None
    assert "10.1.2.3" in (hosts_of(Settings(host="10.1.2.3", public=True)) or ())
    assert hosts_of(Settings()) == (*LOOPBACK_HOSTS, "127.0.0.1")


@pytest.mark.parametrize(
    "entry", ["https://std.example", "std.example:8000", "*.example", "a b", "std/x", ""]
)
def test_a_host_that_could_never_match_stops_the_start(entry: str) -> None:
    with pytest.raises(InvalidSettings, match="without scheme and port"):
        Settings(allowed_hosts=(entry,))


@pytest.mark.parametrize("entry", ["std.example", "*", "https://std.example/path", "null", "https://a,b", ""])
def test_an_origin_that_could_never_match_stops_the_start(entry: str) -> None:
    with pytest.raises(InvalidSettings, match="Write scheme and host"):
        Settings(allowed_origins=(entry,))
