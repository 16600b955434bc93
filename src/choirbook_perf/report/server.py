"""Section with the server's own figures: the growth of its histograms during the run. Pure.

Client and server latencies side by side show where time is spent: the difference was spent in the network, in
queues and in the load generator.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from choirbook_perf import figures
from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.report.parts import Section, section, table
from choirbook_perf.report.subjects import Subject
from choirbook_perf.report.tables import percentile_ms
from choirbook_perf.results import Result

LOADING_BUCKET = "mcp_resource_loading_latency_seconds_bucket"
QUANTILES = (0.5, 0.95, 0.99)

_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Buckets = list[tuple[float, float]]
"""(upper bound in seconds, number of values up to it), in order; the last bound is infinite."""


def server(subjects: Sequence[Subject]) -> Section | None:
    """Show the server's latencies beside the client's; nothing if no server reported any."""
    rows = [
        (name, subject.name, figures.whole(buckets[-1][1]), *_pairs(subject.result, labels, buckets))
        for subject in subjects
        for name, labels, buckets in gains(subject.result)
    ]
    if not rows:
        return None
    head = [f"{side} p{quantile * 100:g}" for quantile in QUANTILES for side in ("Server", "Client")]
    return section(
        "server",
        "Measured by the server",
        table(
            "Latency in milliseconds; the server's figures are from its histogram buckets",
            ("", "Run", "Reads", *head),
            rows,
            texts=2,
        ),
    )


def gains(result: Result) -> list[tuple[str, dict[str, str], Buckets]]:
    """Return the growth of the server's histogram by type and cache result: (name, labels, buckets)."""
    found: dict[tuple[str, str], dict[float, float]] = defaultdict(lambda: defaultdict(float))
    for key, after in result.server_after.items():
        metric, labels = parse_sample(key)
        if metric == LOADING_BUCKET:
            of = (labels.get("resource_type", ""), labels.get("cache_result", ""))
            found[of][float(labels["le"])] += after - result.server_before.get(key, 0.0)
    return [
        (f"{type_}, {kind}", {"resource_type": type_, "cache_result": kind}, sorted(buckets.items()))
        for (type_, kind), buckets in sorted(found.items())
        if buckets and max(buckets.values()) > 0
    ]


def parse_sample(key: str) -> tuple[str, dict[str, str]]:
    """Split a sample's key, in Prometheus text format, into its name and labels."""
    name, _, rest = key.partition("{")
    return name, dict(_LABEL.findall(rest))


def quantile_s(quantile: float, buckets: Buckets) -> float | None:
    """Estimate a quantile from cumulative buckets, like `histogram_quantile` of Prometheus."""
    rank = quantile * buckets[-1][1]
    start, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= rank and count > below:
            # Beyond the last finite bound it is only known that it is exceeded.
            return (
                start if bound == float("inf") else start + (bound - start) * (rank - below) / (count - below)
            )
        start, below = bound, count
    return None


def _pairs(result: Result, labels: Mapping[str, str], buckets: Buckets) -> list[str]:
    client: LatencyHistogram = result.histogram(**labels)
    cells = []
    for quantile in QUANTILES:
        own_s = quantile_s(quantile, buckets)
        cells.append(figures.milliseconds(None if own_s is None else own_s * 1000))
        cells.append(figures.milliseconds(percentile_ms(client, quantile * 100)))
    return cells
