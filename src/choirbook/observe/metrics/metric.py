"""Declaration of a metric; `docs/metrics.md` is generated from it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

BUCKETS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.010, 0.025, 0.050, 0.100, 0.200, 0.500, 1.000)
SUM_CELL = len(BUCKETS_S) + 1
"""Index of the sum in a histogram with these bounds: after the buckets, the last of which is unbounded."""


class MetricKind(StrEnum):
    """Type of a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Aggregation(StrEnum):
    """Aggregation of a gauge over all workers."""

    SUM = "sum"
    LEAST = "least"
    """Minimum, for values that every worker reports in full: their sum would be meaningless, the minimum is
    the worst case."""
    GREATEST = "greatest"
    """Maximum, for values that the workers share, and some have not updated yet."""


class Label(NamedTuple):
    """One label. Its values are never a client's text, so that the series are known at the start."""

    name: str
    values: tuple[str, ...] = ()
    """All values; empty if they depend on the library or the machine."""
    about: str = ""
    """Origin of the values, if they are not listed."""


class Metric(NamedTuple):
    """One metric."""

    kind: MetricKind
    help: str
    """One line, shown beside the values."""
    about: str
    """Purpose of the metric, and how to read it."""
    remedy: str
    """Remedy if the value is bad."""
    labels: tuple[Label, ...] = ()
    unit: str = ""
    """`seconds` or `bytes`, with which the name ends before `_total`; "" for a count."""
    whole: Aggregation = Aggregation.SUM
    bounds: tuple[float, ...] = BUCKETS_S
    """Bounds of a histogram's buckets, in its unit."""
    has_exemplars: bool = False
    """Whether its buckets name a traced request, in OpenMetrics."""
