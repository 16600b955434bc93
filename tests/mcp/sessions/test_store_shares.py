"""A ledger whose peers have no shares."""

from __future__ import annotations

from choirbook.mcp.sessions.store import IN_MEMORY, SessionStore


def test_without_shares_one_peer_may_hold_all_sessions_and_nothing_counts_as_refused() -> None:
    store = SessionStore(IN_MEMORY, 3, 2)
    ended = [store.begin(id_, now_s, peer="only") for now_s, id_ in enumerate("abcd")]
    assert ended == [[], [], [], ["a"]]
    assert (store.count(), store.refused, store.peers_at_limit()) == (3, 0, 0)
    store.close()


def test_with_shares_a_peer_at_its_share_is_counted() -> None:
    store = SessionStore(IN_MEMORY, 8, 2, 0.25)
    store.begin("a", 1.0, peer="one")
    assert store.peers_at_limit() == 0
    store.begin("b", 2.0, peer="one")
    assert (store.peers_at_limit(), store.refused) == (1, 0)
    store.close()
