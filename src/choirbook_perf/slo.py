"""Thresholds of a run: the mission's, or those of a TOML file. Pure but for reading that file.

A file sets limits by metric, and only those are checked::

    p95_ms = 50
    hit_p95_ms = 5
    failure_ratio = 0.001
    requests_per_s = 300   # at least
"""

from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path

import msgspec

from choirbook_perf.errors import BadInput

_LATENCY = re.compile(r"(?:(hit|miss)_)?p(\d{1,2}(?:\.\d+)?)_ms")
_PLAIN = {"failure_ratio": "ratio", "requests_per_s": "1/s"}


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """One metric and its limit."""

    metric: str
    limit: float
    is_required: bool = True
    """Whether a run without enough data for it is inconclusive."""

    @property
    def percent(self) -> float | None:
        """Percentile of the metric, None if it is not one."""
        match = _LATENCY.fullmatch(self.metric)
        return float(match[2]) if match else None

    @property
    def cache_result(self) -> str:
        """`hit` or `miss` if the metric is about one of them, otherwise ""."""
        match = _LATENCY.fullmatch(self.metric)
        return (match[1] or "") if match else ""

    @property
    def unit(self) -> str:
        """Unit of limit and value."""
        return _PLAIN.get(self.metric, "ms")


MISSION = (
    Threshold(metric="p50_ms", limit=50),
    Threshold(metric="p95_ms", limit=100),
    Threshold(metric="p99_ms", limit=200),
    # Only Choirbook's plain HTTP reports the origin of a single read.
    Threshold(metric="hit_p95_ms", limit=10, is_required=False),
    Threshold(metric="miss_p95_ms", limit=100, is_required=False),
    Threshold(metric="failure_ratio", limit=0),
)
"""The mission's thresholds."""


def load(path: Path) -> tuple[Threshold, ...]:
    """Load a file of thresholds.

    Raises:
        BadInput: It cannot be read, or sets no usable limits.
    """
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise BadInput(f"The SLO file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"The SLO file {path} is not UTF-8 text: {error.reason}.") from error


def parse(text: str, where: str) -> tuple[Threshold, ...]:
    """Parse thresholds in TOML.

    Args:
        text: The TOML.
        where: Name of the source in messages.

    Raises:
        BadInput: It is not TOML, or sets no usable limits.
    """
    try:
        limits = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"The SLO file {where} is not TOML: {error}.") from error
    if not limits:
        raise BadInput(f"The SLO file {where} sets no limit. Add a line such as: p95_ms = 100")
    return tuple(_threshold(metric, limit, where) for metric, limit in limits.items())


def _threshold(metric: str, limit: object, where: str) -> Threshold:
    match = _LATENCY.fullmatch(metric)
    if metric not in _PLAIN and not (match and float(match[2]) > 0):
        raise BadInput(
            f"The SLO file {where} names {metric!r}, which is not a metric. There are p50_ms (or any other "
            "percentile), hit_p95_ms, miss_p95_ms, failure_ratio and requests_per_s."
        )
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not math.isfinite(limit) or limit < 0:
        raise BadInput(f"The SLO file {where}: {metric} must be a number of 0 or more, not {limit!r}.")
    return Threshold(metric=metric, limit=float(limit))
