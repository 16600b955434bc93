"""The samples that are kept: a few of the last seconds, and one every five seconds of a quarter of an hour.

Pure: the caller tells the time and brings the samples.
"""

from __future__ import annotations

from collections import deque

import msgspec

from choirbook.observe.figures import Between, Sample, between

STEP_S = 5.0
"""From one kept sample to the next: three pixels of a plot."""

LONGEST_STEP_S = 3 * STEP_S
"""A busy machine is late; a longer pause was one in which nobody looked."""

WINDOW_S = 900.0
NOW_S = 10.0
"""What counts as now: long enough for a quantile, short enough to see a change."""


class Point(msgspec.Struct, frozen=True, array_like=True):
    """What a plot shows of one step."""

    at_s: float
    """Unix time of its end."""
    seconds: float
    requests_per_s: float
    hit_rate: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class History:
    """The samples of one worker's dashboard."""

    def __init__(self) -> None:
        self._recent: deque[Sample] = deque()
        self._kept: deque[Sample] = deque()
        self.points: deque[Point] = deque()
        """The oldest first."""

    @property
    def newest(self) -> Sample:
        """The last sample; there has to be one."""
        return self._recent[-1]

    @property
    def oldest(self) -> Sample:
        """The one that the window begins with; there has to be one."""
        return self._kept[0] if self._kept else self._recent[0]

    def now(self) -> Between:
        """Return the figures of the last `NOW_S`."""
        return between(self._recent[0], self._recent[-1])

    def window(self) -> Between:
        """Return the figures of the last `WINDOW_S`, or since there are samples."""
        return between(self.oldest, self.newest)

    def add(self, sample: Sample) -> Point | None:
        """Take a sample in; returns the point that it makes, if it ends a step."""
        self._take_leave(sample.at_s)
        self._recent.append(sample)
        while len(self._recent) > 1 and sample.at_s - self._recent[1].at_s >= NOW_S:
            self._recent.popleft()
        if self._kept and sample.at_s - self._kept[-1].at_s < STEP_S:
            return None
        point = _point(self._kept[-1], sample) if self._kept else None
        self._kept.append(sample)
        if point is not None:
            self.points.append(point)
        return point

    def _take_leave(self, at_s: float) -> None:
        """Let go of what is too old, and of everything when the clock was set back."""
        if self._recent and at_s < self.newest.at_s:
            self._kept.clear()
            self.points.clear()
        if self._recent and not 0 <= at_s - self.newest.at_s <= NOW_S:
            self._recent.clear()
        while self._kept and at_s - self._kept[0].at_s > WINDOW_S:
            self._kept.popleft()
        while self.points and at_s - self.points[0].at_s > WINDOW_S:
            self.points.popleft()


def _point(old: Sample, new: Sample) -> Point | None:
    """Return the point of a step; None after a pause in which nobody looked: its mean would say little."""
    if new.at_s - old.at_s > LONGEST_STEP_S:
        return None
    figures = between(old, new)
    quantiles = figures.quantiles
    return Point(
        round(new.at_s, 1),
        figures.seconds,
        round(figures.requests_per_s, 2),
        figures.hit_rate,
        quantiles.p50_ms,
        quantiles.p95_ms,
        quantiles.p99_ms,
    )
