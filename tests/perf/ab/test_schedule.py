from __future__ import annotations

from collections import Counter

from choirbook_perf.ab.schedule import NEW, OLD, starts, turns


def test_each_pair_has_both_sides() -> None:
    found = turns(4, pairs=3, seed=1)
    assert len(found) == 8
    for pair in range(4):
        assert {turn.side for turn in found if turn.pair == pair} == {OLD, NEW}
    assert [turn.pair for turn in found] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert {turn.round for turn in found} == {4}


def test_chance_decides_who_is_first_and_repeats_itself_with_the_seed() -> None:
    firsts = Counter(turn.side for round_ in range(200) for turn in turns(round_, 3, seed=1)[::2])
    assert 350 < firsts[OLD] < 450
    assert turns(3, 3, seed=1) == turns(3, 3, seed=1)
    assert any(turns(round_, 3, seed=1) != turns(round_, 3, seed=2) for round_ in range(3))


def test_either_side_is_started_first_at_times() -> None:
    assert {starts(round_, seed=1) for round_ in range(20)} == {(OLD, NEW), (NEW, OLD)}
