"""One sentence on where a slow run spent its time: which reads, and whether in the server. Pure."""

from __future__ import annotations

from choirbook_perf import figures
from choirbook_perf.report.tables import percentile_ms
from choirbook_perf.results import Result
from choirbook_perf.server_metrics import gains, quantile_s

QUANTILE = 0.95
MOSTLY = 0.5
"""The server contributed to a latency if its own is more than this fraction of the client's."""


def where(result: Result) -> str:
    """Describe which kind of read was slowest and on which side time was spent; "" with too few reads."""
    kinds = {(series.resource_type, series.cache_result) for series in result.series}
    found = []
    for type_, kind in sorted(kinds):
        latencies = result.histogram(resource_type=type_, cache_result=kind)
        value_ms = percentile_ms(latencies, QUANTILE * 100)
        if value_ms is not None:
            found.append((value_ms, type_, kind))
    if not found:
        return ""
    slowest_ms, type_, kind = max(found)
    told = f"Slowest are {type_} reads ({kind}): their p95 is {figures.milliseconds(slowest_ms)} ms"
    own_ms = _server_ms(result, type_, kind)
    if own_ms is None:
        return f"{told}. The server did not report its share of this time."
    own = figures.milliseconds(own_ms)
    if own_ms > slowest_ms * MOSTLY:
        return f"{told}, of which the server measured {own} ms: look at the server and its profile."
    return (
        f"{told}, of which the server measured {own} ms: most of it was spent outside the server, in the "
        "network, a proxy, a queue, or the load generator."
    )


def _server_ms(result: Result, type_: str, kind: str) -> float | None:
    for _, labels, buckets in gains(result):
        if labels == {"resource_type": type_, "cache_result": kind}:
            own_s = quantile_s(QUANTILE, buckets)
            return None if own_s is None else own_s * 1000
    return None
