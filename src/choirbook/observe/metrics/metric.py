"""What is said of a metric where it is declared; `docs/metrics.md` is made of it."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

BUCKETS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.010, 0.025, 0.050, 0.100, 0.200, 0.500, 1.000)
SUM_CELL = len(BUCKETS_S) + 1
"""Where a histogram with these bounds has its sum: behind the buckets, the last of which is unbounded."""


class MetricKind(StrEnum):
    """What a metric's figures are."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Whole(StrEnum):
    """What the figures of all workers come to."""

    SUM = "sum"
    LEAST = "least"
    """Of what every worker has whole: their sum would say nothing, the least is the worst case."""
    GREATEST = "greatest"
    """Of what the workers have together, and some have not looked at yet."""


class Label(NamedTuple):
    """One label. Its values are never a client's text, so that the series are known at the start."""

    name: str
    values: tuple[str, ...] = ()
    """All of them; none where they are those of the library, or of the machine."""
    about: str = ""
    """Where they come from, if they are not listed."""


class Metric(NamedTuple):
    """One metric."""

    kind: MetricKind
    help: str
    """One line, shown beside the figures."""
    about: str
    """What it is for, and how to read it."""
    remedy: str
    """What to do when it is not as it should be."""
    labels: tuple[Label, ...] = ()
    unit: str = ""
    """`seconds` or `bytes`, with which the name ends before `_total`; "" for what is counted."""
    whole: Whole = Whole.SUM
    bounds: tuple[float, ...] = BUCKETS_S
    """Of a histogram's buckets, in its unit."""
    has_exemplars: bool = False
    """Whether its buckets name a request that was traced, in OpenMetrics."""
