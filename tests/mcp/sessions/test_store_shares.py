"""A ledger whose peers have no shares."""

from __future__ import annotations

from choirbook.mcp.sessions.store import IN_MEMORY, Ledger


def test_without_shares_one_peer_may_hold_all_sessions_and_nothing_counts_as_refused() -> None:
    ledger = Ledger(IN_MEMORY, 3, 2)
    ended = [ledger.begin(id_, now_s, peer="only") for now_s, id_ in enumerate("abcd")]
    assert ended == [[], [], [], ["a"]]
    assert (ledger.count(), ledger.refused, ledger.peers_at_share()) == (3, 0, 0)
    ledger.close()


def test_with_shares_a_peer_at_its_share_is_counted() -> None:
    ledger = Ledger(IN_MEMORY, 8, 2, 0.25)
    ledger.begin("a", 1.0, peer="one")
    assert ledger.peers_at_share() == 0
    ledger.begin("b", 2.0, peer="one")
    assert (ledger.peers_at_share(), ledger.refused) == (1, 0)
    ledger.close()
