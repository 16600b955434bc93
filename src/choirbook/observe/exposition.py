"""The metrics of all workers as Prometheus text, or as OpenMetrics.

Spelled here: prometheus_client takes two to six times as long with the interpreter's lock, and does not keep
labels in the order of the interface (docs/adr/0020).

Source: https://prometheus.io/docs/instrumenting/exposition_formats and
https://prometheus.io/docs/specs/om/open_metrics_spec (1.0.0).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from math import inf

from choirbook.http.negotiation import Exposition
from choirbook.observe.exemplars import Exemplar
from choirbook.observe.metrics import METRICS, Aggregation, Metric, MetricKind
from choirbook.observe.processes import figures
from choirbook.observe.shared_metrics import SharedMetrics

TOTAL = "_total"

_Labels = tuple[tuple[str, str], ...]
_Exemplars = Sequence[Exemplar | None]
"""Exemplars by bucket."""

_EXEMPLIFIED = frozenset(name for name, about in METRICS.items() if about.has_exemplars)


def exposition(cells: SharedMetrics, format_: Exposition = Exposition.TEXT) -> bytes:
    """Format the metrics of all workers. Blocking: it looks at their processes.

    Args:
        cells: Metrics cells of the workers.
        format_: Format of the text.
    """
    is_open = format_ is Exposition.OPENMETRICS
    exemplars = _exemplars(cells) if is_open else {}
    found = series_totals(cells) | {key: [value] for key, value in figures(cells).items()}
    lines: list[str] = []
    shown = ""
    for (metric, labels), values in sorted(found.items()):
        about = METRICS[metric]
        if metric != shown:
            shown = metric
            lines += _head(metric, about) if is_open else _plain_head(metric, about)
        lines += _samples(metric, about, labels, values, exemplars.get((metric, labels), ()))
        # Counts of a dead worker remain, so every series began with the server.
        if is_open and about.kind is not MetricKind.GAUGE:
            lines.append(f"{_family(metric)}_created{_spell(labels)} {_number(cells.started_s)}")
    if is_open:
        lines.append("# EOF")
    return "\n".join(lines).encode() + b"\n"


def _plain_head(metric: str, about: Metric) -> Iterator[str]:
    yield f"# HELP {metric} {about.help}"
    yield f"# TYPE {metric} {about.kind.value}"


def _head(metric: str, about: Metric) -> Iterator[str]:
    family = _family(metric)
    yield f"# TYPE {family} {about.kind.value}"
    if about.unit:
        yield f"# UNIT {family} {about.unit}"
    yield f"# HELP {family} {about.help}"


def _family(metric: str) -> str:
    """Return the OpenMetrics family name of a metric: the `_total` of a counter belongs to the sample."""
    return metric.removesuffix(TOTAL)


def _samples(
    metric: str, about: Metric, labels: _Labels, values: list[float], exemplars: _Exemplars
) -> Iterator[str]:
    if about.kind is not MetricKind.HISTOGRAM:
        yield f"{metric}{_spell(labels)} {_number(values[0])}"
        return
    cumulative = 0.0
    buckets = zip((*about.bounds, inf), values, strict=False)
    for (bound, count), exemplar in zip_longest(buckets, exemplars):
        cumulative += count
        suffix = "" if exemplar is None else _spell_exemplar(exemplar)
        yield f"{metric}_bucket{_spell((*labels, ('le', _number(bound))))} {_number(cumulative)}{suffix}"
    yield f"{metric}_count{_spell(labels)} {_number(cumulative)}"
    yield f"{metric}_sum{_spell(labels)} {_number(values[-1])}"


def _spell_exemplar(exemplar: Exemplar) -> str:
    # 63 characters of names and values, where OpenMetrics allows 128 ("Exemplars").
    labels = ("trace_id", f"{exemplar.trace_id:032x}"), ("span_id", f"{exemplar.span_id:016x}")
    return f" # {_spell(labels)} {_number(exemplar.value)} {exemplar.at_s:.3f}"


def _spell(labels: _Labels) -> str:
    # No value needs escaping: types are a-z, 0-9, '-' and '_', everything else is the server's own.
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels) + "}" if labels else ""


def _number(value: float) -> str:
    return "+Inf" if value == inf else repr(float(value))


def series_totals(cells: SharedMetrics) -> dict[tuple[str, _Labels], list[float]]:
    """Sum the slots; gauges of dead workers are excluded."""
    added: dict[tuple[str, _Labels], list[float]] = {}
    for is_alive, found in cells.slots():
        for series in found:
            metric, labels = _split(series.name)
            about = METRICS[metric]
            if about.kind is MetricKind.GAUGE and not is_alive:
                continue
            total = added.get((metric, labels))
            if total is None:
                added[metric, labels] = list(series.values)
            elif about.whole is Aggregation.LEAST:
                total[0] = min(total[0], series.values[0])
            elif about.whole is Aggregation.GREATEST:
                total[0] = max(total[0], series.values[0])
            else:
                total[:] = [sum(pair) for pair in zip(total, series.values, strict=True)]
    return added


def _exemplars(cells: SharedMetrics) -> dict[tuple[str, _Labels], list[Exemplar | None]]:
    """Return the latest exemplar of each bucket over all slots; traces outlive their worker."""
    latest: dict[tuple[str, _Labels], list[Exemplar | None]] = {}
    for name, found in cells.exemplars(_EXEMPLIFIED):
        kept = latest.setdefault(_split(name), found)
        kept[:] = [max(pair, key=_age_key) for pair in zip(kept, found, strict=True)]
    return latest


def _age_key(exemplar: Exemplar | None) -> float:
    return -inf if exemplar is None else exemplar.at_s


def _split(name: str) -> tuple[str, _Labels]:
    metric, *labels = name.split("\x1f")
    pairs = [label.split("=", 1) for label in labels]
    return metric, tuple((name, value) for name, value in pairs)
