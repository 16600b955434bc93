from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.runtime.quotas import EVERYONE, Quota, QuotaKind, Quotas, peer_key

PEERS = ["192.0.2.1", "192.0.2.2", "2001:db8::"]
steps = st.lists(st.tuples(st.sampled_from(PEERS), st.booleans(), st.integers(1, 4)), max_size=60)


@given(total=st.integers(1, 40), fraction=st.floats(0.01, 0.99), taken=steps)
def test_no_peer_holds_more_than_its_share_and_nothing_remains(
    total: int, fraction: float, taken: list[tuple[str, bool, int]]
) -> None:
    quota, held = Quota(total, fraction), Counter[str]()
    for peer, is_taken, amount in taken:
        if is_taken:
            assert quota.take(peer, amount) == (held[peer] + amount <= quota.most)
            held[peer] = quota.held_by(peer)
        elif held[peer] >= amount:
            quota.release(peer, amount)
            held[peer] -= amount
        assert max(held.values(), default=0) <= quota.most <= max(1, total)
        assert quota.full == sum(amount == quota.most for amount in held.values())
    for peer, amount in held.items():
        quota.release(peer, amount)
    assert (len(quota), quota.full) == (0, 0)


def test_a_share_is_a_part_of_the_total_and_at_least_one() -> None:
    assert Quota(8192, 0.25).most == 2048
    assert Quota(2, 0.25).most == 1


def test_refusals_are_counted() -> None:
    quota = Quota(4, 0.25)
    assert quota.take("192.0.2.1")
    assert not quota.take("192.0.2.1")
    assert quota.take("192.0.2.2")
    assert (quota.refused, quota.full, len(quota)) == (1, 2, 2)


def test_who_could_be_anybody_has_no_share() -> None:
    quota = Quota(4, 0.25)
    assert all(quota.take(EVERYONE) for _ in range(100))
    assert (quota.full, quota.refused) == (0, 0)


def test_a_fraction_of_one_limits_nobody() -> None:
    quota = Quotas(1.0, {QuotaKind.STREAMS: 1})[QuotaKind.STREAMS]
    assert all(quota.take("192.0.2.1") for _ in range(100))
    assert quota.full == 0


def test_giving_back_more_than_is_held_is_a_fault_of_ours() -> None:
    quota = Quota(4, 0.5)
    quota.take("192.0.2.1")
    with pytest.raises(AssertionError):
        quota.release("192.0.2.1", 2)


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
