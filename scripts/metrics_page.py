"""Generate docs/metrics.md from the declarations of the metrics: `task docs:metrics`."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from choirbook.observe.metrics import LIBRARY, PROCESS, READS, TRACES, Kind, Label, Metric, Whole

PAGE = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"

HEAD = """\
<!-- Made by `task docs:metrics` of the declarations in src/choirbook/observe/metrics. -->

# Metrics

`GET /metrics` shows them for all workers together, whichever answers: as OpenMetrics 1.0.0 where `Accept`
asks for that, as Prometheus does, and otherwise as Prometheus text. `choirbook serve --metrics off` records
none. Counters go on over the death of a worker and begin anew with the server, which `_created` tells in
OpenMetrics.

No label has a client's text for a value: the number of series does not grow with what clients invent.

Where requests are traced, buckets of latency have exemplars in OpenMetrics: the trace of the last request
that fell into each. [Tracing](tracing.md#exemplars) says how they get from there to Grafana.

`deploy/prometheus/` has rules and alerts made of these metrics, `deploy/grafana/` a dashboard.
"""

GROUPS: dict[str, Mapping[str, Metric]] = {
    "Reads, the cache, and answers": READS,
    "The library, and what is shared": LIBRARY,
    "Workers": PROCESS,
    "Traces": TRACES,
}

_WHOLE = {
    Whole.SUM: "the sum of all workers",
    Whole.LEAST: "the least of all workers",
    Whole.GREATEST: "the greatest of all workers",
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
    if metric.kind is Kind.HISTOGRAM:
        yield f"- buckets: {', '.join(f'{bound:g}' for bound in metric.bounds)}"
    if metric.has_exemplars:
        yield "- exemplars, in OpenMetrics: [the last trace of each bucket](tracing.md#exemplars)"
    yield f"\n**What to do:** {metric.remedy}\n"


def _kind(metric: Metric) -> str:
    return f"{metric.kind.value} in {metric.unit}" if metric.unit else metric.kind.value


def _values(label: Label) -> str:
    listed = ", ".join(f"`{value}`" for value in label.values)
    return "; ".join(part for part in (listed, label.about) if part)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
