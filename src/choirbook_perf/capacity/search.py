"""Search for the highest rate that keeps an SLO: doubling, bisection, repeats at the edge. Pure.

The caller measures; the search says at which rate to measure next. A server at its limit is noisy, so one
measurement decides nothing there: the knee lies between the highest rate that kept the SLO every time and the
lowest that broke it every time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

KEPT = "kept"
BROKEN = "broken"
INVALID = "invalid"
"""The generator could not keep up: nothing is known of the server."""

_DIGITS = 3
_MAX_INVALID = 3
"""Rates in turn, each half of the one before, at which the generator may be invalid."""
_MAX_STEPS_ASIDE = 5
"""Steps from the edge found by bisection to one that holds in every repeat."""


class Knee(NamedTuple):
    """Result of a search. Rates in requests per second."""

    low: float | None
    """Highest rate that kept the SLO each time; None if there is none."""
    high: float | None
    """Lowest rate that broke it each time; None if the search ended before."""
    reason: str
    """Why there is no knee, in a sentence; "" if there is one."""

    @property
    def rate(self) -> float | None:
        """The knee, in the middle of its interval; None if there is none."""
        if self.reason or self.low is None or self.high is None:
            return None
        return rounded(math.sqrt(self.low * self.high))


class Search:
    """Search of the knee.

    Args:
        measure: Measures at a rate, and returns `kept`, `broken` or `invalid`.
        start: First rate.
        highest: Rate above which not to search.
        lowest: Rate below which not to search.
        precision: Width of the interval that ends the bisection, as a share of the rate.
        repeats: Measurements at each end of the interval.
    """

    def __init__(
        self,
        measure: Callable[[float], str],
        *,
        start: float,
        highest: float,
        lowest: float = 1.0,
        precision: float = 0.03,
        repeats: int = 3,
    ) -> None:
        self._measure_once = measure
        self._start = start
        self._highest = highest
        self._lowest = lowest
        self._precision = precision
        self._repeats = repeats
        self._outcomes: dict[float, list[str]] = {}

    def run(self) -> Knee:
        """Return the knee."""
        low, high = self._bracket()
        if low is None and high is None:
            return Knee(
                None, None, "The generator was not valid at any rate. Use a machine that is less busy."
            )
        if low is None:
            return Knee(None, high, f"The SLO is not kept at {self._lowest:g} requests per second either.")
        if high is None:
            return Knee(
                low, None, f"The SLO is still kept at {low:g} requests per second. Raise --max-rate to go on."
            )
        low, high = self._bisect(low, high)
        return self._repeated(low, high)

    def _bracket(self) -> tuple[float | None, float | None]:
        """Double the rate until the SLO breaks, or halve it until it is kept.

        Returns:
            A rate that kept it, None if none did, and one that did not, None if all did; twice None if the
            generator was valid at none.
        """
        rate = rounded(min(self._start, self._highest))
        outcome = self._measure(rate)
        if outcome == KEPT:
            while rate < self._highest:
                low, rate = rate, rounded(min(rate * 2, self._highest))
                if self._measure(rate) != KEPT:
                    return low, rate
            return rate, None
        invalid = int(outcome == INVALID)
        while rate > self._lowest and invalid < _MAX_INVALID:
            high, rate = rate, rounded(max(rate / 2, self._lowest))
            outcome = self._measure(rate)
            if outcome == KEPT:
                return rate, high
            invalid = invalid + 1 if outcome == INVALID else 0
        return None, None if invalid else rate

    def _bisect(self, low: float, high: float) -> tuple[float, float]:
        """Halve the interval, by ratio, until it is small."""
        while high > low * (1 + self._precision):
            middle = rounded(math.sqrt(low * high))
            if middle in {low, high}:
                break
            if self._measure(middle) == KEPT:
                low = middle
            else:
                high = middle
        return low, high

    def _repeated(self, low: float, high: float) -> Knee:
        """Move the ends of the interval apart until each holds in every repeat."""
        lowest = self._step_until(low, KEPT, 1 / (1 + self._precision))
        if lowest is None:
            return Knee(None, high, f"Near {low:g} requests per second the SLO is kept only sometimes.")
        highest = self._step_until(high, BROKEN, 1 + self._precision)
        if highest is not None:
            return Knee(lowest, highest, "")
        # Nothing that is above the limit of the generator is known of the server.
        return Knee(
            lowest,
            None,
            f"The generator reached its own limit near {high:g} requests per second, before the SLO was "
            f"certain to break: the server may do more than {lowest:g}. Use another machine for the "
            "generator.",
        )

    def _step_until(self, rate: float, wanted: str, factor: float) -> float | None:
        for _ in range(_MAX_STEPS_ASIDE):
            if all(self._repeat(rate, number) == wanted for number in range(self._repeats)):
                return rate
            rate = rounded(rate * factor)
        return None

    def _repeat(self, rate: float, number: int) -> str:
        """Return the outcome of a measurement, measuring only what was not measured before."""
        known = self._outcomes.get(rate, [])
        return known[number] if number < len(known) else self._measure(rate)

    def _measure(self, rate: float) -> str:
        outcome = self._measure_once(rate)
        if outcome == INVALID:
            # Once more: a generator may have been disturbed.
            outcome = self._measure_once(rate)
        self._outcomes.setdefault(rate, []).append(outcome)
        return outcome


def rounded(rate: float) -> float:
    """Round a rate to three digits."""
    return float(f"{rate:.{_DIGITS}g}")
