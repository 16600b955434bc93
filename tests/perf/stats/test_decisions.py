from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from choirbook_perf.stats.decisions import MAX_MORE, Finding, Limits, LogRatios, decide
from choirbook_perf.stats.shifts import paired, pairs_needed

LIMITS = Limits(band=0.03, margin=0.10)


def sample(values: Sequence[float], metric: str = "cpu_us", **changed: Any) -> LogRatios:
    made = LogRatios(metric, paired(values), len(values), pairs_needed)
    return made._replace(**changed)


def around(ratio: float, spread: float, count: int = 20, seed: int = 1) -> list[float]:
    dice = random.Random(seed)  # noqa: S311 - a sample, no secret
    return [math.log(ratio) + dice.gauss(0, spread) for _ in range(count)]


def outcome(*samples: LogRatios) -> list[str]:
    return [each.outcome for each in decide(samples, LIMITS)]


def test_an_interval_beyond_the_band_has_a_direction() -> None:
    assert outcome(sample(around(1.10, 0.02))) == ["slower"]
    assert outcome(sample(around(0.90, 0.02))) == ["faster"]
    assert outcome(sample(around(0.90, 0.02), is_more_better=True)) == ["slower"]
    assert outcome(sample(around(1.10, 0.02), is_more_better=True)) == ["faster"]


def test_an_interval_within_the_band_is_the_same_even_if_it_excludes_zero() -> None:
    (found,) = decide([sample(around(1.01, 0.002))], LIMITS)
    assert found.outcome == "same"
    assert found.low is not None
    assert found.low > 0
    assert found.more == 0


def test_an_interval_over_an_edge_is_unknown_and_says_how_many_more_would_do() -> None:
    (found,) = decide([sample(around(1.05, 0.06))], LIMITS)
    assert found.outcome == "unknown"
    assert 0 < found.more < MAX_MORE
    wider = sample(around(1.05, 0.06, count=20 + found.more, seed=2))
    (then,) = decide([wider], LIMITS)
    assert then.detectable is not None
    assert then.detectable < LIMITS.margin


def test_too_few_values_are_unknown_and_say_how_many_are_missing() -> None:
    (found,) = decide([sample([0.1] * 5)], LIMITS)
    assert (found.outcome, found.low, found.high, found.detectable) == ("unknown", None, None, None)
    assert found.more == 3


def test_no_values_are_unknown() -> None:
    (found,) = decide([sample([])], LIMITS)
    assert (found.outcome, found.change, found.more) == ("unknown", None, 8)


def test_hopeless_noise_is_not_given_a_number() -> None:
    assert decide([sample(around(1.0, 3.0))], LIMITS)[0].more == MAX_MORE


def test_what_is_called_detectable_is_detected() -> None:
    (found,) = decide([sample(around(1.0, 0.05, seed=7))], LIMITS)
    assert found.detectable is not None
    slower = [
        outcome(sample(around(1 + found.detectable, 0.05, seed=seed))) == ["slower"]
        for seed in range(100, 500)
    ]
    assert sum(slower) / len(slower) > 0.85


def test_more_metrics_widen_the_intervals_of_all_that_are_not_clear() -> None:
    alone = decide([sample(around(1.0, 0.05))], LIMITS)[0]
    beside = decide([sample(around(1.0, 0.05)), sample(around(1.0, 0.05, seed=2), "p50_ms")], LIMITS)[0]
    assert width(beside) > width(alone)


def test_what_is_clear_leaves_the_others_their_level() -> None:
    # Holm: after a rejection at ALPHA / 2 the other metric is judged at ALPHA.
    alone = decide([sample(around(1.0, 0.05))], LIMITS)[0]
    clear = sample(around(1.5, 0.02), "p50_ms")
    found = decide([sample(around(1.0, 0.05)), clear], LIMITS)
    assert [each.metric for each in found] == ["cpu_us", "p50_ms"]
    assert found[1].outcome == "slower"
    assert width(found[0]) == width(alone)


def test_dependent_values_have_wider_intervals() -> None:
    plain, wide = sample(around(1.10, 0.02)), sample(around(1.10, 0.02), widening=3.0)
    assert width(decide([wide], LIMITS)[0]) > 2.9 * width(decide([plain], LIMITS)[0])
    assert outcome(sample(around(1.06, 0.02))) == ["slower"]
    assert outcome(sample(around(1.06, 0.02), widening=3.0)) == ["unknown"]


def test_false_alarms_of_any_of_five_metrics_are_rare_at_the_edge_of_the_band() -> None:
    dice = random.Random(11)  # noqa: S311
    alarms = 0
    for _ in range(600):
        samples = [
            sample(around(1.03, 0.05, count=12, seed=dice.randrange(10**9)), metric) for metric in "abcde"
        ]
        alarms += any(each.outcome in {"slower", "faster"} for each in decide(samples, LIMITS))
    assert alarms / 600 <= 0.015


def width(finding: Finding) -> float:
    assert finding.low is not None
    assert finding.high is not None
    return finding.high - finding.low
