"""Slices that were never measured, in the order of real ones, with noise of a known kind."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import pytest

from choirbook_perf.ab.judging import chosen, failures_of, judge, pairs_of, rounds_of
from choirbook_perf.ab.results import Slice
from choirbook_perf.ab.schedule import NEW, PAIRS, turns
from choirbook_perf.errors import BadInput
from choirbook_perf.stats.decisions import Limits

LIMITS = Limits()


class Course:
    """Noise whose correlation falls off by powers (AR(1)), one step per slice."""

    def __init__(self, correlation: float, spread: float, dice: random.Random) -> None:
        self._correlation, self._dice = correlation, dice
        self._step = spread * math.sqrt(1 - correlation**2)
        self.value = dice.gauss(0, spread)

    def step(self) -> float:
        self.value = self._correlation * self.value + self._dice.gauss(0, self._step)
        return self.value


def simulated(
    ratio: float,
    *,
    rounds: int = 12,
    correlation: float = 0.0,
    common: float = 0.0,
    own: float = 0.0,
    white: float = 0.01,
    seed: int = 1,
) -> Iterator[Slice]:
    """Make slices with noise of the machine, noise of each server process, and noise of each slice."""
    dice = random.Random(seed)  # noqa: S311 - a sample, no secret
    machine = Course(correlation, common, dice)
    for round_ in range(rounds):
        servers = [Course(correlation, own, dice) for _ in range(2)]  # started afresh
        for turn in turns(round_, PAIRS, seed):
            noises = [machine.step(), *(each.step() for each in servers)]
            noise = noises[0] + noises[1 + turn.side] + dice.gauss(0, white)
            cost = math.exp(noise) * (ratio if turn.side == NEW else 1.0)
            p50_ms, p99_ms = 2 * cost, 5 * cost * math.exp(dice.gauss(0, 0.6))
            yield Slice(*turn, 1000, 0, 40 * cost, 300.0, p50_ms, 2 * p50_ms, p99_ms)


def test_a_slower_server_is_found_by_processor_time_and_latency() -> None:
    found = {each.metric: each for each in judge(simulated(1.10), LIMITS).findings}
    assert list(found) == ["cpu_us", "p50_ms", "throughput", "p95_ms"]
    assert found["cpu_us"].outcome == "slower"
    assert found["cpu_us"].change == pytest.approx(0.10, abs=0.02)
    assert found["p50_ms"].outcome == "slower"
    assert found["throughput"].outcome == "same"


def test_a_tail_that_could_not_show_the_margin_is_left_out_with_the_reason() -> None:
    judged = judge(simulated(1.10), LIMITS)
    assert "p99_ms" not in [each.metric for each in judged.findings]
    assert "could be found" in judged.skipped["p99_ms"]


def test_servers_by_url_have_no_processor_time() -> None:
    slices = [each._replace(cpu_us=None) for each in simulated(1.10)]
    judged = judge(slices, LIMITS)
    assert judged.skipped["cpu_us"] == "not measured"
    assert judged.findings[0].metric == "p50_ms"


def test_the_first_pair_and_pairs_with_a_doubt_do_not_count() -> None:
    slices = list(simulated(1.0, rounds=2))
    assert len(pairs_of(slices)) == 2 * PAIRS
    spoilt = [
        each._replace(doubt="starved") if each.pair == 2 and each.side == 0 else each for each in slices
    ]
    assert len(pairs_of(spoilt)) == 2 * (PAIRS - 1)


def test_a_generator_that_was_too_slow_leaves_processor_time_to_judge() -> None:
    judged = judge([each._replace(lateness="starved") for each in simulated(1.10)], LIMITS)
    assert [(each.metric, each.outcome) for each in judged.findings] == [("cpu_us", "slower")]
    assert judged.skipped["p50_ms"] == "the generator was too slow in every pair"


def test_a_round_is_one_value() -> None:
    slices = list(simulated(1.10, rounds=5))
    values = rounds_of(pairs_of(slices), "cpu_us")
    assert len(values) == 5
    assert values[0] == pytest.approx(math.log(1.10), abs=0.05)


def test_failures_are_counted_by_side_in_all_slices() -> None:
    slices = [each._replace(failures=each.side) for each in simulated(1.0, rounds=2)]
    assert failures_of(slices) == {0: (0, 8000), 1: (8, 8000)}


def test_an_unknown_metric_is_refused() -> None:
    assert chosen(["p50_ms", "cpu_us"]) == ("cpu_us", "p50_ms")
    with pytest.raises(BadInput, match="p51_ms"):
        chosen(["p51_ms"])


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9, 0.99])
@pytest.mark.parametrize(("common", "own"), [(0.08, 0.0), (0.0, 0.03), (0.05, 0.02)])
def test_intervals_hold_the_truth_under_autocorrelation(
    correlation: float, common: float, own: float
) -> None:
    held = 0
    for seed in range(400):
        slices = simulated(1.05, correlation=correlation, common=common, own=own, seed=seed)
        (found,) = judge(slices, LIMITS, ("cpu_us",)).findings
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.05 <= found.high
    assert held / 400 >= 0.98
