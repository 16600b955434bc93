"""Section with the server's own figures: the growth of its histograms during the run. Pure.

Client and server latencies side by side show where time is spent: the difference was spent in the network, in
queues and in the load generator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from choirbook_perf import figures
from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.report.parts import Section, section, table
from choirbook_perf.report.subjects import Subject
from choirbook_perf.report.tables import percentile_ms
from choirbook_perf.results import Result
from choirbook_perf.server_metrics import Buckets, gains, quantile_s

QUANTILES = (0.5, 0.95, 0.99)


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


def _pairs(result: Result, labels: Mapping[str, str], buckets: Buckets) -> list[str]:
    client: LatencyHistogram = result.histogram(**labels)
    cells = []
    for quantile in QUANTILES:
        own_s = quantile_s(quantile, buckets)
        cells.append(figures.milliseconds(None if own_s is None else own_s * 1000))
        cells.append(figures.milliseconds(percentile_ms(client, quantile * 100)))
    return cells
