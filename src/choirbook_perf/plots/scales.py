"""Scales of axes: from a value to a position between 0 and 1, and ticks at round numbers. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

STEPS = (1, 2, 5)
TICKS_WANTED = 5
MAX_LABELLED_DECADES = 2
"""Up to this many decades a log axis also has labels at 2 and 5; beyond, at powers of ten only."""

LABEL_GAP = 0.14
"""Fraction of an axis that a label takes on a narrow page."""


@dataclass(frozen=True, slots=True)
class AxisTick:
    """A mark on an axis."""

    position: float
    """0 is the start of the axis, 1 its end."""
    label: str
    """Text; empty for a mark without one."""


class Scale(Protocol):
    """Maps values to positions on an axis."""

    def position(self, value: float) -> float:
        """Return the position of a value: 0 at the start of the axis, 1 at its end."""
        ...

    def ticks(self) -> list[AxisTick]:
        """Return the marks, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Linear:
    """Equal distances for equal differences; starts at 0, so that lengths can be compared."""

    high: float
    step: float
    spell: Callable[[float], str]

    def position(self, value: float) -> float:
        """Return the position of a value."""
        return min(1.0, max(0.0, value / self.high))

    def ticks(self) -> list[AxisTick]:
        """Return marks at round numbers."""
        count = math.floor(self.high / self.step + 1e-9)
        return [
            AxisTick(self.position(self.step * number), self.spell(self.step * number))
            for number in range(count + 1)
        ]


def linear(highest: float, spell: Callable[[float], str] = lambda value: f"{value:,g}") -> Linear:
    """Create an axis from 0 to a round number at or above the maximum."""
    step = _round_step(highest or 1.0)
    return Linear(math.ceil((highest or 1.0) / step - 1e-9) * step, step, spell)


def seconds(longest_s: float, spell: Callable[[float], str]) -> Linear:
    """Create an axis of time since the start: it ends with the run, with marks at round times."""
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
    step = next((step for step in steps if longest_s / step <= TICKS_WANTED), 7200)
    return Linear(max(longest_s, 1.0), step, spell)


def _round_step(highest: float) -> float:
    rough = highest / TICKS_WANTED
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (*STEPS, 10) if step * power >= rough * 0.999)


@dataclass(frozen=True, slots=True)
class Log:
    """Equal distances for equal ratios."""

    low: float
    high: float
    spell: Callable[[float], str]

    def position(self, value: float) -> float:
        """Return the position of a value; values below the start of the axis are at the start."""
        if value <= self.low:
            return 0.0
        return min(1.0, math.log(value / self.low) / math.log(self.high / self.low))

    def ticks(self) -> list[AxisTick]:
        """Return marks at 1, 2, 5 times the powers of ten, labelled if there is room."""
        decades = math.log10(self.high / self.low)
        found = []
        for power in range(math.floor(math.log10(self.low) + 1e-9), math.ceil(math.log10(self.high)) + 1):
            for step in STEPS:
                value = step * 10.0**power
                if self.low * 0.999 <= value <= self.high * 1.001:
                    has_label = step == 1 or decades <= MAX_LABELLED_DECADES
                    found.append(AxisTick(self.position(value), self.spell(value) if has_label else ""))
        return self._with_labelled_ends(found)

    def _with_labelled_ends(self, ticks: list[AxisTick]) -> list[AxisTick]:
        """Label the first and last mark too, if that does not crowd the next label."""
        places = [tick.position for tick in ticks if tick.label]
        for at, value in ((0, self.low), (-1, self.high)):
            tick = ticks[at]
            if all(abs(tick.position - place) >= LABEL_GAP for place in places):
                ticks[at] = AxisTick(tick.position, self.spell(value))
        return ticks


def log(values: Iterable[float], spell: Callable[[float], str]) -> Log:
    """Create an axis that contains all the positive values, from one round number to another."""
    positive = [value for value in values if value > 0]
    low, high = (min(positive), max(positive)) if positive else (1.0, 10.0)
    start, end = _round_down(low), _round_up(high)
    # A ratio of less than ten would magnify noise.
    return Log(start, max(end, start * 10), spell)


def _round_down(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value) + 1e-9)
    return max(step * power for step in STEPS if step * power <= value * 1.001)


def _round_up(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value) + 1e-9)
    return min(step * power for step in (*STEPS, 10) if step * power >= value * 0.999)


@dataclass(frozen=True, slots=True)
class Nines:
    """Percentiles, each further nine as wide as the one before: 0%, 90%, 99%, 99.9%."""

    nines: int

    def position(self, percent: float) -> float:
        """Return the position of a percentile."""
        rest = max(1 - percent / 100, 10.0**-self.nines)
        return min(1.0, -math.log10(rest) / self.nines)

    def ticks(self) -> list[AxisTick]:
        """Return a mark for the median and one for each nine."""
        percents = [0, 50, *(round(100 - 10.0 ** (2 - nine), 6) for nine in range(1, self.nines + 1))]
        return [AxisTick(self.position(percent), f"{percent:g}%") for percent in percents]


def nines(samples: int) -> Nines:
    """Create an axis of percentiles that ends where there are too few samples."""
    return Nines(max(2, min(5, math.floor(math.log10(max(samples, 1))))))
