"""Stored samples: a few of the last seconds, and one for every five seconds of the last quarter of an hour.

Pure: the caller passes the time and the samples.
"""

from __future__ import annotations

from collections import deque

import msgspec

from choirbook.observe.figures import PeriodFigures, Sample, between

STEP_S = 5.0
"""Time between two stored samples, in seconds: three pixels of a plot."""

LONGEST_STEP_S = 3 * STEP_S
"""Maximum time between two samples of one step, in seconds: a busy machine is late; after a longer pause
nobody was looking."""

WINDOW_S = 900.0
NOW_S = 10.0
"""Time window that counts as now, in seconds: long enough for a quantile, short enough to see a change."""


class Point(msgspec.Struct, frozen=True, array_like=True):
    """Data point of a plot for one step."""

    at_s: float
    """Unix time of the end of the step."""
    seconds: float
    requests_per_s: float
    hit_rate: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class History:
    """Samples of one worker's dashboard."""

    def __init__(self) -> None:
        self._recent: deque[Sample] = deque()
        self._kept: deque[Sample] = deque()
        self.points: deque[Point] = deque()
        """Points, the oldest first."""

    @property
    def newest(self) -> Sample:
        """Last sample; there must be one."""
        return self._recent[-1]

    @property
    def oldest(self) -> Sample:
        """First sample of the window; there must be one."""
        return self._kept[0] if self._kept else self._recent[0]

    def now(self) -> PeriodFigures:
        """Return the figures of the last `NOW_S`."""
        return between(self._recent[0], self._recent[-1])

    def window(self) -> PeriodFigures:
        """Return the figures of the last `WINDOW_S`, or since the first sample."""
        return between(self.oldest, self.newest)

    def add(self, sample: Sample) -> Point | None:
        """Add a sample; return the resulting point, if it ends a step."""
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
        """Remove samples that are too old, and all if the clock was set back."""
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
    """Return the point of a step; None after a pause without viewers, whose average would mean little."""
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
