"""Peers that want more than their share, over real connections from several addresses of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from tests.servers.conftest import Start
from tests.servers.metrics import metrics, total
from tests.support.servers import Server, wait_for
from tests.support.streams import begin_session, in_session, listening, session_stream

GREEDY, OTHER = "127.0.0.2", "127.0.0.3"
CORE = "mcp://resources/sdlc/core"


@contextmanager
def client_from(server: Server, address: str, **headers: str) -> Iterator[httpx.Client]:
    """Make a client whose connections come from an address."""
    transport = httpx.HTTPTransport(local_address=address)
    with httpx.Client(base_url=server.url, transport=transport, timeout=10, headers=headers) as client:
        yield client


def open_stream(held: ExitStack, client: httpx.Client) -> None:
    events = held.enter_context(listening(client, [CORE]))
    assert events.next()["method"].endswith("acknowledged")
    # A response ends when nothing refers to the iterator over its lines.
    held.callback(lambda: events)


def refusals(client: httpx.Client, share: str) -> float:
    return total(metrics(client), "choirbook_share_refusals_total", share=share)


def at_share(client: httpx.Client, share: str) -> float:
    return total(metrics(client), "choirbook_peers_at_share", share=share)


def test_streams_of_one_peer_leave_room_for_others(start: Start, root: Path) -> None:
    with (
        start(root, CHOIRBOOK_MAX_STREAMS="8") as server,
        client_from(server, GREEDY) as greedy,
        client_from(server, OTHER) as other,
        server.client() as local,
    ):
        with ExitStack() as held:
            for _ in range(2):
                open_stream(held, greedy)
            session = begin_session(greedy)
            with listening(greedy, [CORE], 7) as refused:
                answer = refused.response.read()
            assert refused.response.status_code == 429
            assert refused.response.headers["retry-after"].isdigit()
            assert b'"id":7' in answer
            assert b"-32603" in answer
            with session_stream(greedy, session) as refused:
                assert refused.response.status_code == 429
            with listening(other, [CORE]) as events:
                assert events.next()["method"].endswith("acknowledged")
            for _ in range(4):
                open_stream(held, local)
            wait_for(lambda: at_share(local, "streams") == 1, "one peer is at its share")
            assert refusals(local, "streams") == 2
        wait_for(lambda: at_share(local, "streams") == 0, "nothing is held of a peer that has left")
        with listening(greedy, [CORE]) as events:
            assert events.next()["method"].endswith("acknowledged")


def test_sessions_of_one_peer_end_its_own_over_all_workers(start: Start, root: Path) -> None:
    with (
        start(root, CHOIRBOOK_MAX_SESSIONS="8", CHOIRBOOK_WORKERS="2") as server,
        client_from(server, GREEDY, connection="close") as greedy,
        client_from(server, OTHER, connection="close") as other,
        server.client(fresh=True) as local,
    ):
        modest = [begin_session(other), begin_session(local)]
        sessions = [begin_session(greedy) for _ in range(20)]
        assert [in_session(greedy, each, "ping").status_code for each in sessions[-2:]] == [200, 200]
        assert {in_session(greedy, each, "ping").status_code for each in sessions[:-2]} == {404}
        assert [in_session(other, each, "ping").status_code for each in modest] == [200, 200]
        wait_for(lambda: refusals(local, "sessions") == 18, "refusals are counted")


def test_a_trusted_proxy_says_whose_share_it_is(start: Start, root: Path) -> None:
    with (
        start(root, CHOIRBOOK_MAX_STREAMS="8", CHOIRBOOK_TRUSTED_PROXIES=GREEDY) as server,
        client_from(server, GREEDY, **{"x-forwarded-for": "192.0.2.1"}) as first,
        client_from(server, GREEDY, **{"x-forwarded-for": "192.0.2.2"}) as second,
        client_from(server, GREEDY) as silent,
        ExitStack() as held,
    ):
        for _ in range(2):
            open_stream(held, first)
        with listening(first, [CORE]) as refused:
            assert refused.response.status_code == 429
        open_stream(held, second)
        for _ in range(3):
            open_stream(held, silent)


def test_subscriptions_to_sections_that_are_not_there_are_bounded(start: Start, root: Path) -> None:
    with (
        start(root, CHOIRBOOK_PEER_SHARE="0.001") as server,
        client_from(server, GREEDY) as greedy,
        client_from(server, OTHER) as other,
        server.client() as local,
    ):
        uris = [f"{CORE}?section={number:04}{'x' * 800}" for number in range(1000)]
        with listening(greedy, uris) as refused:
            assert refused.response.status_code == 429
        session = begin_session(greedy)
        answers = [in_session(greedy, session, "resources/subscribe", uri=uri).json() for uri in uris[:40]]
        assert "result" in answers[0]
        assert answers[-1]["error"]["message"].startswith("The sessions of your address")
        modest = begin_session(other)
        assert in_session(other, modest, "resources/subscribe", uri=CORE).json()["result"] == {}
        assert refusals(local, "subscriptions") == 1


def test_no_address_is_in_the_figures_or_in_the_ledger(start: Start, root: Path) -> None:
    with start(root) as server, client_from(server, GREEDY) as greedy, server.client() as local:
        begin_session(greedy)
        assert GREEDY not in local.get("/metrics").text
