"""Autocorrelation of a series, and how much wider it makes an interval. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_MOST = 0.8
"""Maximum correlation that is believed: beyond it a short series is a drift, and no factor corrects it."""
_FEWEST = 4
"""Minimum length of a series whose autocorrelation says something."""


def lag_one(values: Sequence[float]) -> float:
    """Return the correlation of a series with itself one step later, 0 if it is too short or constant.

    Corrected for the bias of a short series (Marriott and Pope, Biometrika 41, 1954).
    """
    series = np.asarray(values, dtype=np.float64)
    if len(series) < _FEWEST:
        return 0.0
    centred = series - series.mean()
    spread = float(centred @ centred)
    if spread == 0:
        return 0.0
    raw = float(centred[1:] @ centred[:-1]) / spread
    return raw + (1 + 3 * raw) / len(series)


def widening(values: Sequence[float]) -> float:
    """Return the factor by which the interval of a mean grows if its values follow each other's course.

    For noise whose correlation falls off by powers of r the variance of a mean is (1 + r) / (1 - r) times
    that of independent values (Bartlett). At least 1: no series earns a narrower interval.
    """
    correlation = min(max(0.0, lag_one(values)), _MOST)
    return math.sqrt((1 + correlation) / (1 - correlation))
