"""Comparison of two runs: per metric the difference, its interval, and a verdict. Pure.

The interval is a bootstrap on the raw samples: both runs are resampled with replacement, 2,000 times, and the
middle 95 % of the differences are kept (Efron and Tibshirani, An Introduction to the Bootstrap, 13.3). It
covers the sampling error of one run, not the drift of a machine from one minute to the next: that is the
purpose of the margin.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from choirbook_perf import results
from choirbook_perf.errors import BadInput, GateFailed, Inconclusive
from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.intervals.order import requests_needed
from choirbook_perf.results import Result

DRAWS = 2_000
_SEED = 20260728  # the same two files always give the same answer
_EDGES = (2.5, 97.5)
_PERCENTILES = {
    "p50_ms": ("", 50.0),
    "p95_ms": ("", 95.0),
    "p99_ms": ("", 99.0),
    "hit_p95_ms": ("hit", 95.0),
    "miss_p95_ms": ("miss", 95.0),
}
_MIN_SECONDS = 5
"""Minimum duration of a run, in seconds, so that its throughput has a variance."""

_Draws = NDArray[np.float64]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of two runs."""

    metric: str
    unit: str
    old: float
    new: float
    difference: float
    """New minus old."""
    low: float
    high: float
    """Upper bound of the difference at 95 % confidence; `low` is the lower one."""
    verdict: str
    """`better`, `worse`, `no difference`, or `inconclusive`."""
    is_regression: bool
    """Whether it is worse by more than the margin, over the whole interval."""
    reason: str = ""


def load(path: Path) -> Result:
    """Load a result file, or that of the directory of a run.

    Raises:
        BadInput: It cannot be read, has another format, or belongs to another command.
    """
    file = path / "result.json" if path.is_dir() else path
    result = results.load(file)
    if result.kind != "test":
        raise BadInput(
            f"{file} is a result of 'choirbook perf {result.kind}'; only those of 'test' can be compared."
        )
    return result


def check_comparable(old: Result, new: Result, *, across_machines: bool) -> None:
    """Check that a difference would be due to the server.

    Raises:
        BadInput: The runs are of different machines, or of different loads.
    """
    ours, theirs = old.environment, new.environment
    if ours.machine != theirs.machine and not across_machines:
        raise BadInput(
            f"The runs are from different machines: {ours.cpu}, {ours.cores} cores, and {theirs.cpu}, "
            f"{theirs.cores} cores. Run both on one machine, or pass --across-machines to compare them "
            "anyway."
        )
    for name in ("name", "users", "think_time_s"):
        before, after = old.scenario.get(name), new.scenario.get(name)
        if before != after:
            raise BadInput(
                f"The runs have different loads: {name} is {before!r} and {after!r}. Run both with the same "
                "load."
            )


def compare(old: Result, new: Result, margin: float) -> list[Change]:
    """Compare two runs by every metric that both have.

    Args:
        old: Baseline run.
        new: Run to judge.
        margin: Fraction of the old value by which the new one may be worse.
    """
    generator = np.random.default_rng(_SEED)
    return [*_latencies(old, new, margin, generator), *_rates(old, new, margin, generator)]


def check(changes: Sequence[Change], margin: float) -> None:
    """Raise the error for the verdict of a comparison, if it is not a pass.

    Raises:
        GateFailed: There is a regression.
        Inconclusive: No regression is visible, but a metric is inconclusive.
    """
    regressions = [change for change in changes if change.is_regression]
    if regressions:
        told = "; ".join(
            f"{each.metric} {each.old:.4g} -> {each.new:.4g} {each.unit}" for each in regressions
        )
        raise GateFailed(f"Worse by more than {margin:.0%}: {told}.")
    unsure = [change for change in changes if change.verdict == "inconclusive"]
    if unsure or not changes:
        told = (
            "; ".join(f"{each.metric} ({each.reason})" for each in unsure)
            or "the runs have nothing in common"
        )
        raise Inconclusive(f"Too short or too noisy to decide: {told}. Run for longer.")


def _latencies(old: Result, new: Result, margin: float, generator: np.random.Generator) -> Iterator[Change]:
    for cache_result in ("", "hit", "miss"):
        labels = {"cache_result": cache_result} if cache_result else {}
        before, after = old.histogram(**labels), new.histogram(**labels)
        if not len(before) or not len(after):
            continue
        wanted = {name: percent for name, (of, percent) in _PERCENTILES.items() if of == cache_result}
        drawn = [_drawn(each, list(wanted.values()), generator) for each in (before, after)]
        for row, (metric, percent) in enumerate(wanted.items()):
            pair = (before.percentile_ms(percent), after.percentile_ms(percent))
            too_few = min(len(before), len(after)) < requests_needed(percent)
            reason = f"{len(before)} and {len(after)} requests, {requests_needed(percent)} are needed"
            differences = drawn[1][row] - drawn[0][row]
            yield _change(metric, "ms", pair, differences, margin, reason if too_few else "")


def _drawn(
    histogram: LatencyHistogram, percents: list[float], generator: np.random.Generator
) -> list[_Draws]:
    """Return percentiles of resampled histograms, in milliseconds."""
    values, counts = (np.array(column) for column in zip(*histogram.counts(), strict=True))
    total = int(counts.sum())
    reached = generator.multinomial(total, counts / total, size=DRAWS).cumsum(axis=1)
    ranks = [max(1.0, np.ceil(total * percent / 100)) for percent in percents]
    return [values[(reached < rank).sum(axis=1)] / 1000 for rank in ranks]


def _rates(old: Result, new: Result, margin: float, generator: np.random.Generator) -> Iterator[Change]:
    rates = [_per_second(result) for result in (old, new)]
    drawn = [generator.choice(each, (DRAWS, len(each))).mean(axis=1) for each in rates]
    too_short = min(map(len, rates)) < _MIN_SECONDS
    reason = f"a run of fewer than {_MIN_SECONDS + 2} seconds" if too_short else ""
    pair = (float(rates[0].mean()), float(rates[1].mean()))
    yield _change("requests_per_s", "1/s", pair, drawn[1] - drawn[0], margin, reason, more_is_better=True)

    totals = [max(1, result.requests() + result.failed()) for result in (old, new)]
    ratios = (old.failed() / totals[0], new.failed() / totals[1])
    failed = [
        generator.binomial(total, ratio, DRAWS) / total for total, ratio in zip(totals, ratios, strict=True)
    ]
    yield _change("failure_ratio", "ratio", ratios, failed[1] - failed[0], margin, "")


def _per_second(result: Result) -> _Draws:
    """Return successful answers per second, without the first and the last second, which are incomplete."""
    ticks = [float(tick.requests) for tick in result.timeline]
    return np.array(ticks[1:-1] or ticks or [0.0])


def _change(
    metric: str,
    unit: str,
    pair: tuple[float, float],
    differences: _Draws,
    margin: float,
    reason: str,
    *,
    more_is_better: bool = False,
) -> Change:
    low, high = (float(edge) for edge in np.percentile(differences, _EDGES))
    allowed = margin * pair[0]
    # Minimum and maximum of how much worse it is.
    least, most = (-high, -low) if more_is_better else (low, high)
    verdict = "worse" if least > 0 else "better" if most < 0 else "no difference"
    return Change(
        metric=metric,
        unit=unit,
        old=pair[0],
        new=pair[1],
        difference=pair[1] - pair[0],
        low=low,
        high=high,
        verdict="inconclusive" if reason else verdict,
        is_regression=not reason and least > allowed,
        reason=reason,
    )
