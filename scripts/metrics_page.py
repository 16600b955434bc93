"""Make docs/metrics.md from the declarations of the metrics: `task docs:metrics`."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from choirbook.observe.metrics import LIBRARY, PROCESS, READS, TRACES, Aggregation, Label, Metric, MetricKind

PAGE = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"

HEAD = """\
<!-- Made by `task docs:metrics` from the declarations in src/choirbook/observe/metrics. -->

# Metrics

`GET /metrics` covers all workers, whichever of them responds. The format is OpenMetrics 1.0.0 if `Accept`
asks for it, as Prometheus does, and Prometheus text otherwise. `choirbook serve --metrics off` disables
metrics. Counters survive the death of a worker and reset when the server restarts; in OpenMetrics,
`_created` has the time of the reset.

No label value is a client's text, so clients cannot increase the number of series.

If requests are traced, latency buckets have exemplars in OpenMetrics: the trace of the last request in each
bucket. [Tracing](tracing.md#exemplars) explains how to show them in Grafana.

`deploy/prometheus/` has rules and alerts that use these metrics, `deploy/grafana/` a dashboard.
"""

GROUPS: dict[str, Mapping[str, Metric]] = {
    "Reads, cache and responses": READS,
    "Library, Redis, streams and shares": LIBRARY,
    "Workers": PROCESS,
    "Traces": TRACES,
}

_WHOLE = {
    Aggregation.SUM: "sum of all workers",
    Aggregation.LEAST: "minimum of all workers",
    Aggregation.GREATEST: "maximum of all workers",
}


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for title, metrics in GROUPS.items():
        parts.append(f"## {title}\n")
        parts += ["\n".join(_section(name, metric)) for name, metric in metrics.items()]
    return "\n".join(parts)


def _section(name: str, metric: Metric) -> Iterator[str]:
    yield f"### `{name}`\n"
    yield f"{metric.help} {metric.about}\n"
    yield f"- {_kind(metric)}; {_WHOLE[metric.whole]}"
    yield from (f"- label `{label.name}`: {_values(label)}" for label in metric.labels)
    if metric.kind is MetricKind.HISTOGRAM:
        yield f"- buckets: {', '.join(f'{bound:g}' for bound in metric.bounds)}"
    if metric.has_exemplars:
        yield "- exemplars in OpenMetrics: [the last trace of each bucket](tracing.md#exemplars)"
    yield f"\n**Remedy:** {metric.remedy}\n"


def _kind(metric: Metric) -> str:
    return f"{metric.kind.value} in {metric.unit}" if metric.unit else metric.kind.value


def _values(label: Label) -> str:
    listed = ", ".join(f"`{value}`" for value in label.values)
    return "; ".join(part for part in (listed, label.about) if part)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
