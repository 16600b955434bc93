import pytest

from choirbook.errors import InvalidSettings
from choirbook.http.exchange import Request
from choirbook.http.proxies import Proxies
from choirbook.servers.asgi.server import AsgiConnection, AsgiHeaders

PROXY = ("10.0.0.7", 4000)


def request(client: tuple[str, int] | None, mount: str = "", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request("GET", "/", "", AsgiHeaders(raw), b"", AsgiConnection(client), mount)


@pytest.mark.parametrize(
    ("client", "forwarded", "peer"),
    [
        (("192.0.2.1", 1), "198.51.100.9", "192.0.2.1"),
        (PROXY, "198.51.100.9", "198.51.100.9"),
        (PROXY, "203.0.113.5, 198.51.100.9", "198.51.100.9"),
        (PROXY, "198.51.100.9, 10.0.0.8", "198.51.100.9"),
        (PROXY, "10.0.0.8", "10.0.0.8"),
        (PROXY, "198.51.100.9, nonsense", "10.0.0.7"),
        (PROXY, "[2001:db8::1]:443", "2001:db8::1"),
        (PROXY, "a" * 2000, "10.0.0.7"),
        (("::ffff:192.0.2.1", 1), "", "192.0.2.1"),
        (None, "198.51.100.9", ""),
    ],
)
def test_a_peer_is_the_last_address_that_is_not_a_trusted_proxy(
    client: tuple[str, int] | None, forwarded: str, peer: str
) -> None:
    assert Proxies(("10.0.0.0/8",)).peer_of(request(client, x_forwarded_for=forwarded)) == peer


def test_a_socket_without_addresses_is_trusted_only_by_name() -> None:
    sent = request(None, x_forwarded_for="198.51.100.9")
    assert Proxies(("unix",)).peer_of(sent) == "198.51.100.9"
    assert Proxies(()).peer_of(sent) == ""


@pytest.mark.parametrize(
    ("client", "claimed", "mount", "prefix"),
    [
        (PROXY, "/standards", "", "/standards"),
        (PROXY, "/standards/", "/app", "/standards/app"),
        (("192.0.2.1", 1), "/evil", "/app", "/app"),
        (PROXY, "//evil.example", "", ""),
        (PROXY, "/../up", "", ""),
        (PROXY, "/a?b", "", ""),
        (PROXY, "", "/app", "/app"),
    ],
)
def test_a_prefix_counts_when_a_trusted_proxy_names_it(
    client: tuple[str, int], claimed: str, mount: str, prefix: str
) -> None:
    sent = request(client, mount, x_forwarded_prefix=claimed)
    assert Proxies(("10.0.0.7",)).prefix_of(sent) == prefix


def test_an_entry_that_is_no_network_is_refused_by_name() -> None:
    with pytest.raises(InvalidSettings, match=r"'proxy\.example'"):
        Proxies(("proxy.example",))
