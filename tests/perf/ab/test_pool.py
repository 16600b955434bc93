"""Error rates of `choirbook perf ab`, by comparisons drawn from recorded slices."""

from __future__ import annotations

from benchmarks import ab_replay
from choirbook_perf.ab.judging import CPU, chosen
from choirbook_perf.commands.ab import ROUNDS
from tests.perf.processes import REPOSITORY

COMPARISONS = 100


def pool() -> ab_replay.Pool:
    return ab_replay.load(REPOSITORY / ab_replay.POOL)


def test_the_same_server_twice_gives_at_most_one_verdict_in_a_hundred() -> None:
    replayed = ab_replay.replay(pool().same, COMPARISONS, ROUNDS, chosen([]))
    verdicts = [
        findings for findings in replayed if any(each.outcome in {"slower", "faster"} for each in findings)
    ]
    assert len(replayed) == COMPARISONS
    assert len(verdicts) <= 1


def test_ten_per_cent_more_processor_time_is_found_in_95_of_a_hundred() -> None:
    replayed = ab_replay.replay(pool().slower, COMPARISONS, ROUNDS, chosen([]))
    assert ab_replay.outcomes(replayed, CPU)["slower"] >= 95


def test_the_slower_server_was_calibrated_to_ten_per_cent() -> None:
    assert abs(pool().calibrated - 0.10) < 0.02


def test_complete_comparisons_said_the_same() -> None:
    for each in pool().complete:
        wanted = {ab_replay.SAME: {"same", "unknown"}, ab_replay.SLOWER: {"slower"}}[each.kind]
        assert each.findings[0].outcome in wanted
