import pytest

from choirbook.bench.driver import DrivenHeaders, DrivenScope
from choirbook.http.exchange import Request
from choirbook.http.peers import Peers
from choirbook.http.proxies import Proxies
from choirbook.runtime.quotas import EVERYONE


def request(client: str, forwarded: str | None = None) -> Request:
    headers = DrivenHeaders({} if forwarded is None else {"x-forwarded-for": forwarded})
    return Request("GET", "/", "", headers, b"", DrivenScope("http", "GET", "/", "", headers, client))


@pytest.mark.parametrize(
    ("client", "forwarded", "peer"),
    [
        ("192.0.2.1:5", None, "192.0.2.1"),
        ("192.0.2.1:5", "192.0.2.9", "192.0.2.1"),
        ("10.0.0.1:5", "192.0.2.9", "192.0.2.9"),
        ("10.0.0.1:5", "127.0.0.1", EVERYONE),
        ("10.0.0.1:5", None, EVERYONE),
        ("10.0.0.1:5", "nonsense", EVERYONE),
        ("127.0.0.1:5", None, EVERYONE),
        ("[2001:db8:1:2:3::4]:5", None, "2001:db8:1:2::"),
        ("[::ffff:192.0.2.1]:5", None, "192.0.2.1"),
        ("", None, EVERYONE),
    ],
)
def test_a_peer_is_who_asks_unless_that_could_be_anybody(
    client: str, forwarded: str | None, peer: str
) -> None:
    assert Peers(Proxies(("10.0.0.0/8",))).key_of(request(client, forwarded)) == peer


def test_a_message_over_a_pipe_is_anybodys() -> None:
    assert Peers(Proxies(())).key_of(None) == EVERYONE
