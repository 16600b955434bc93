"""Intervals of ratios, and the quantiles that they need. Pure, without SciPy.

Clopper and Pearson, The use of confidence or fiducial limits illustrated in the case of the binomial,
Biometrika 26 (1934): exact, so never narrower than it says. The incomplete beta function is the continued
fraction of Numerical Recipes, 6.4, after Lentz.
"""

from __future__ import annotations

import math
from collections.abc import Callable

_TINY = 1e-300
_STEPS = 10_000
"""More than the square root of any number of requests of a run: the fraction needs about as many terms."""


def clopper_pearson(count: int, total: int, confidence: float) -> tuple[float, float]:
    """Return bounds of a ratio, each of which holds with the given confidence.

    Args:
        count: Number of requests with the property.
        total: Number of all requests, at least one.
        confidence: Of each bound, in per cent.
    """
    alpha = 1 - confidence / 100
    low = 0.0 if count == 0 else beta_quantile(alpha, count, total - count + 1)
    high = 1.0 if count == total else beta_quantile(1 - alpha, count + 1, total - count)
    return low, high


def needed_without_failure(limit: float, confidence: float) -> int:
    """Return the number of requests that must all succeed to show a failure ratio below a limit."""
    return math.ceil(math.log(1 - confidence / 100) / math.log1p(-limit))


def beta_quantile(probability: float, a: float, b: float) -> float:
    """Return the value that a beta variable does not exceed with a probability."""
    return _solved(lambda x: incomplete_beta(x, a, b), probability, 0.0, 1.0)


def student_quantile(probability: float, freedom: float) -> float:
    """Return a quantile of Student's distribution, for a probability above a half."""
    # Abramowitz and Stegun 26.7.1: P(|T| <= t) = 1 - I(freedom / (freedom + t²), freedom / 2, 1 / 2)
    x = beta_quantile(2 * (1 - probability), freedom / 2, 0.5)
    return math.sqrt(freedom * (1 - x) / x)


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularized incomplete beta function: the distribution function of a beta variable."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    # The fraction converges fast only on this side of the mean.
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1 / _nonzero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _nonzero(1 + term * d)
            c = _nonzero(1 + term / c)
            value *= c * d
        if abs(c * d - 1) < 1e-14:  # noqa: PLR2004 - the resolution of a float
            break
    return value


def _nonzero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def _solved(function: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    """Bisect an increasing function down to the resolution of a float."""
    while True:
        middle = (low + high) / 2
        if middle in {low, high}:
            return middle
        low, high = (middle, high) if function(middle) < wanted else (low, middle)
