"""Times at which requests are due in the open model. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from choirbook_perf.engine.order import POISSON
from choirbook_perf.results import RateStage


def due_times(stages: Sequence[RateStage], arrivals: str, random: Random) -> Iterator[float]:
    """Yield when requests are due, in seconds since the start of the first stage, in order.

    Args:
        stages: One after the other.
        arrivals: `constant` or `poisson`.
        random: Source of the distances in a Poisson process.
    """
    start_s = 0.0
    for stage in stages:
        if arrivals == POISSON:
            yield from _poisson(stage, start_s, random)
        else:
            # Multiplied, not added up: a sum of rounded steps would drift.
            yield from (
                start_s + number / stage.rate for number in range(round(stage.rate * stage.duration_s))
            )
        start_s += stage.duration_s


def _poisson(stage: RateStage, start_s: float, random: Random) -> Iterator[float]:
    at_s = random.expovariate(stage.rate)
    while at_s < stage.duration_s:
        yield start_s + at_s
        at_s += random.expovariate(stage.rate)
