"""Sections with tables: percentiles, failures, environment. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from choirbook_perf import figures
from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.report.parts import Section, note, section, table
from choirbook_perf.report.subjects import Subject
from choirbook_perf.results import Result, Row

PERCENTS = (50.0, 90.0, 95.0, 99.0, 99.9)
PERCENT_HEADS = tuple(f"p{percent:g}" for percent in PERCENTS)
SLACK = 1e-6
"""Tolerance for floating-point errors: 100 - 99.9 is slightly less than 0.1."""


def summary(result: Result) -> str:
    """Describe a run in a sentence."""
    requests, failed = result.requests(), result.failed()
    rate = requests / result.duration_s if result.duration_s else None
    hits = hit_ratio(result)
    told = "" if hits is None else f", {figures.percent(hits)} of them hits"
    return (
        f"{figures.whole(requests)} requests in {figures.significant(result.duration_s)} s "
        f"({figures.significant(rate)} per second){told}, {figures.whole(failed)} failed."
    )


def hit_ratio(result: Result) -> float | None:
    """Return the share of hits among the reads with a known cache result; None if there are none."""
    hits = len(result.histogram(cache_result="hit"))
    known = hits + len(result.histogram(cache_result="miss"))
    return hits / known if known else None


def percentiles(subjects: Sequence[Subject]) -> Section:
    """Show percentiles overall, by cache result, type, resource and project."""
    if len(subjects) == 1:
        return section("percentiles", "Percentiles", _percentiles(subjects[0]))
    return section("percentiles", "Percentiles", _side_by_side(subjects), *map(_percentiles, subjects))


def _side_by_side(subjects: Sequence[Subject]) -> Markup:
    head = ("Run", "Requests", "Requests/s", "Hits", "Failed", *PERCENT_HEADS, "Mean", "Longest")
    rows = [(subject.name, *run_cells(subject.result)) for subject in subjects]
    return table("All requests of each run, latencies in milliseconds", head, rows)


def run_cells(result: Result) -> list[str]:
    """Format the cells of a complete run: requests, rate, hit ratio, failures, latencies in milliseconds."""
    rate = result.requests() / result.duration_s if result.duration_s else None
    return [
        figures.whole(result.requests()),
        figures.significant(rate),
        figures.percent(hit_ratio(result)),
        figures.whole(result.failed()),
        *percentile_cells(result.histogram()),
    ]


def _percentiles(subject: Subject) -> Markup:
    rows = [
        (name, figures.whole(len(latencies)), figures.whole(failures), *percentile_cells(latencies))
        for name, latencies, failures in groups(subject.result)
    ]
    return table(
        f"Latency of {subject.name}, in milliseconds",
        ("", "Requests", "Failed", *PERCENT_HEADS, "Mean", "Longest"),
        rows,
    )


def percentile_cells(latencies: LatencyHistogram) -> list[str]:
    """Format a histogram's percentiles, its mean and its longest latency, in milliseconds."""
    values = [percentile_ms(latencies, percent) for percent in PERCENTS]
    return [figures.milliseconds(value) for value in (*values, latencies.mean_ms(), latencies.max_ms())]


def percentile_ms(latencies: LatencyHistogram, percent: float) -> float | None:
    """Return a percentile; None if no request lies beyond it: it would merely repeat the maximum."""
    return latencies.percentile_ms(percent) if len(latencies) * (100 - percent) >= 100 - SLACK else None


def groups(result: Result) -> Iterator[tuple[str, LatencyHistogram, int]]:
    """Yield (name, latencies, failures) overall and for each value of each label that has more than one."""
    yield "All requests", result.histogram(), result.failed()
    titles = {"cache_result": "Cache", "resource_type": "Type", "name": "Resource", "project": "Project"}
    for label, title in titles.items():
        values = sorted({getattr(series, label) for series in result.series} - {""}, key=_natural)
        if label == "cache_result" or len(values) > 1:
            for value in values:
                failures = sum(one.failures for one in result.series if getattr(one, label) == value)
                yield f"{title}: {value}", result.histogram(**{label: value}), failures


def _natural(text: str) -> tuple[str, int, str]:
    """Return a sort key that puts `project-10` after `project-9`."""
    stem = text.rstrip("0123456789")
    return stem, int(text[len(stem) :] or 0), text


def failures(subjects: Sequence[Subject]) -> Section | None:
    """Show the failures; nothing if there were none."""
    rows = [
        (failure.name, failure.reason, subject.name, figures.whole(failure.count))
        for subject in subjects
        for failure in sorted(subject.result.failures, key=lambda failure: -failure.count)
    ]
    if not rows:
        return None
    return section(
        "failures",
        "Failures",
        table("Failed requests", ("Resource", "Reason", "Run", "Count"), rows, texts=3),
    )


def limit_of(rows: Sequence[Row], metric: str) -> float | None:
    """Return the limit of a metric in a verdict."""
    return next((row.limit for row in rows if row.metric == metric), None)


def environment(subjects: Sequence[Subject]) -> Section:
    """Show everything that the results depend on, one column per result."""
    described = [_environment(subject.result) for subject in subjects]
    keys = list(dict.fromkeys(key for one in described for key in one))
    rows = [(key, *(one.get(key) or figures.MISSING for one in described)) for key in keys]
    machines = {subject.result.environment.machine for subject in subjects}
    depended_on = table(
        "Conditions of the runs", ("", *(one.name for one in subjects)), rows, texts=1 + len(subjects)
    )
    if len(machines) <= 1:
        return section("environment", "Environment", depended_on)
    warning = note("These runs are from different machines: do not compare their figures.")
    return section("environment", "Environment", warning, depended_on)


def _environment(result: Result) -> dict[str, str]:
    target, machine = result.target, result.environment
    return {
        "Started": result.started,
        "Duration": f"{figures.significant(result.duration_s)} s",
        "Server": target.server,
        "Address": target.url + (" (started for the run)" if target.started_here else ""),
        "Protocol": f"{target.protocol} {target.era}".strip(),
        **{f"Server: {key}": value for key, value in sorted(target.settings.items())},
        **{f"Load: {key}": _scenario_value(value) for key, value in result.scenario.items()},
        "CPU": f"{machine.cpu}, {machine.cores} cores",
        "Memory": figures.bytes_(machine.memory_bytes),
        "Kernel": machine.kernel,
        "Python": machine.python,
        **{f"Version: {key}": value for key, value in sorted(machine.versions.items())},
        "Commit": machine.commit,
        "Load average at the start": f"{machine.load_average:g}",
        "Machine": machine.machine,
    }


def _scenario_value(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_scenario_value(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(_scenario_value(one) for one in value)
    return str(value)
