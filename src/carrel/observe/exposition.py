"""The metrics of all workers as Prometheus text.

Own families are spelled here, so that their labels stand in the order of the interface; those of the
process and the platform come from the client library.
"""

from __future__ import annotations

from collections.abc import Iterator

from carrel.observe.cells import Cells, Series
from carrel.observe.metrics import (
    BUCKETS_S,
    CATALOG_SIZE,
    FEED_UP,
    METRICS,
    SESSIONS,
    SHARED_UP,
    SUM_CELL,
    WATCHING,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_GREATEST = frozenset({SESSIONS})
"""Gauges of what the workers have together, and some have not looked at yet."""

_LEAST = frozenset({CATALOG_SIZE, WATCHING, SHARED_UP, FEED_UP})
"""Gauges of what every worker has whole: their sum would say nothing, the least is the worst case."""

_Labels = tuple[tuple[str, str], ...]
_BOUNDS = (*(repr(bound_s) for bound_s in BUCKETS_S), "+Inf")


def exposition(cells: Cells) -> tuple[bytes, str]:
    """Show all workers' metrics.

    Returns:
        The text (https://prometheus.io/docs/instrumenting/exposition_formats) and its content type.
    """
    lines: list[str] = []
    shown = ""
    for (metric, labels), values in sorted(_sum(cells).items()):
        if metric != shown:
            shown = metric
            lines += [f"# HELP {metric} {METRICS[metric].help}", f"# TYPE {metric} {METRICS[metric].kind}"]
        lines += _samples(metric, labels, values)
    return "\n".join(lines).encode() + b"\n" + _of_the_process(), CONTENT_TYPE


def _samples(metric: str, labels: _Labels, values: list[float]) -> Iterator[str]:
    if METRICS[metric].kind != "histogram":
        yield f"{metric}{_spell(labels)} {_number(values[0])}"
        return
    cumulative = 0.0
    for bound, count in zip(_BOUNDS, values, strict=False):
        cumulative += count
        yield f"{metric}_bucket{_spell((*labels, ('le', bound)))} {_number(cumulative)}"
    yield f"{metric}_count{_spell(labels)} {_number(cumulative)}"
    yield f"{metric}_sum{_spell(labels)} {_number(values[SUM_CELL])}"


def _spell(labels: _Labels) -> str:
    # No value needs an escape: types are a-z, 0-9, '-' and '_', everything else is a constant.
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels) + "}" if labels else ""


def _number(value: float) -> str:
    return repr(float(value))


def _of_the_process() -> bytes:
    # Slow to import, which the start and the first reads need not wait for.
    from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return generate_latest(registry)


def _sum(cells: Cells) -> dict[tuple[str, _Labels], list[float]]:
    """Add up the slots; gauges of workers that are gone do not count."""
    totals: dict[tuple[str, _Labels], list[float]] = {}
    for is_alive, found in cells.slots():
        for series in found:
            metric, labels = _split(series)
            if METRICS[metric].kind == "gauge" and not is_alive:
                continue
            total = totals.get((metric, labels))
            if total is None:
                totals[metric, labels] = list(series.values)
            elif metric in _LEAST:
                total[0] = min(total[0], series.values[0])
            elif metric in _GREATEST:
                total[0] = max(total[0], series.values[0])
            else:
                total[:] = [sum(pair) for pair in zip(total, series.values, strict=True)]
    return totals


def _split(series: Series) -> tuple[str, _Labels]:
    metric, *labels = series.name.split("\x1f")
    pairs = [label.split("=", 1) for label in labels]
    return metric, tuple((name, value) for name, value in pairs)
