from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.runtime.quotas import EVERYONE, Kind, Share, Shares, peer_key

PEERS = ["192.0.2.1", "192.0.2.2", "2001:db8::"]
steps = st.lists(st.tuples(st.sampled_from(PEERS), st.booleans(), st.integers(1, 4)), max_size=60)


@given(total=st.integers(1, 40), fraction=st.floats(0.01, 0.99), taken=steps)
def test_no_peer_holds_more_than_its_share_and_nothing_remains(
    total: int, fraction: float, taken: list[tuple[str, bool, int]]
) -> None:
    share, held = Share(total, fraction), Counter[str]()
    for peer, is_taken, amount in taken:
        if is_taken:
            assert share.take(peer, amount) == (held[peer] + amount <= share.most)
            held[peer] = share.held_by(peer)
        elif held[peer] >= amount:
            share.give_back(peer, amount)
            held[peer] -= amount
        assert max(held.values(), default=0) <= share.most <= max(1, total)
        assert share.full == sum(amount == share.most for amount in held.values())
    for peer, amount in held.items():
        share.give_back(peer, amount)
    assert (len(share), share.full) == (0, 0)


def test_a_share_is_a_part_of_the_total_and_at_least_one() -> None:
    assert Share(8192, 0.25).most == 2048
    assert Share(2, 0.25).most == 1


def test_refusals_are_counted() -> None:
    share = Share(4, 0.25)
    assert share.take("192.0.2.1")
    assert not share.take("192.0.2.1")
    assert share.take("192.0.2.2")
    assert (share.refused, share.full, len(share)) == (1, 2, 2)


def test_who_could_be_anybody_has_no_share() -> None:
    share = Share(4, 0.25)
    assert all(share.take(EVERYONE) for _ in range(100))
    assert (share.full, share.refused) == (0, 0)


def test_a_fraction_of_one_limits_nobody() -> None:
    share = Shares(1.0, {Kind.STREAMS: 1})[Kind.STREAMS]
    assert all(share.take("192.0.2.1") for _ in range(100))
    assert share.full == 0


def test_giving_back_more_than_is_held_is_a_fault_of_ours() -> None:
    share = Share(4, 0.5)
    share.take("192.0.2.1")
    with pytest.raises(AssertionError):
        share.give_back("192.0.2.1", 2)


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        ("", EVERYONE),
        ("127.0.0.1", EVERYONE),
        ("::1", EVERYONE),
        ("127.0.0.2", "127.0.0.2"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1::"),
        ("2001:db8:0:1::9", "2001:db8:0:1::"),
        ("fe80::1%eth0", "fe80::"),
    ],
)
def test_peers_are_addresses_or_networks_of_one_machine(address: str, peer: str) -> None:
    assert peer_key(address) == peer
