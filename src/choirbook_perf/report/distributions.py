"""Sections that plot the distribution of latencies: histogram, CDF, tail, hits against misses. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from choirbook_perf import figures
from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.plots import ranges
from choirbook_perf.plots.chart import Axis, Chart, Line, Point, draw
from choirbook_perf.plots.scales import Log, linear, log, nines
from choirbook_perf.report.parts import Section, columns, figure, legend, section, table
from choirbook_perf.report.subjects import Subject
from choirbook_perf.report.tables import percentile_ms

BINS_PER_DECADE = 24
LATENCY_TITLE = "latency, log axis"
CDF_PERCENTS = (1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 100.0)
RANGE_PERCENTS = (50.0, 95.0, 99.0)
CACHE_RESULTS = ("hit", "miss", "unknown")
CACHE_NAMES = {"hit": "hits", "miss": "misses", "unknown": "cache result unknown"}


def latency(subjects: Sequence[Subject]) -> Section:
    """Plot the latencies of all requests: distribution, CDF and tail."""
    named = [(one.name, one.style, one.result.histogram()) for one in subjects]
    shown = [(name, style, latencies) for name, style, latencies in named if len(latencies)]
    if not shown:
        return section("latency", "Latency", "No request was answered.")
    axis = log((us / 1000 for *_, latencies in shown for us, _ in latencies.counts()), figures.latency)
    return section(
        "latency",
        "Latency",
        columns(_distribution("all", shown, axis), _cumulative(shown, axis)),
        _tail(shown),
    )


Named = tuple[str, str, LatencyHistogram]


def _keys(shown: Sequence[Named]) -> Markup:
    return legend([(f"{name} ({figures.whole(len(one))})", style) for name, style, one in shown])


def _percentile_rows(shown: Sequence[Named], percents: Sequence[float]) -> list[tuple[str, ...]]:
    """Return a row per percentile, with the milliseconds of each run."""
    return [
        (f"{percent:g}%", *(figures.milliseconds(one.percentile_ms(percent)) for *_, one in shown))
        for percent in percents
    ]


def bins(latencies: LatencyHistogram) -> list[tuple[float, float, float]]:
    """Collect latencies into bins of equal ratio, without empty ones at the ends.

    Returns:
        (from in ms, to in ms, share of all from 0 to 1).
    """
    total = len(latencies)
    counts: dict[int, int] = {}
    for value_us, count in latencies.counts():
        # A latency under a microsecond is shown as one: the axis cannot show 0.
        number = math.floor(math.log10(max(value_us, 1) / 1000) * BINS_PER_DECADE + 1e-9)
        counts[number] = counts.get(number, 0) + count
    if not counts:
        return []
    numbers = range(min(counts), max(counts) + 1)
    edge = {number: 10 ** (number / BINS_PER_DECADE) for number in (*numbers, numbers[-1] + 1)}
    return [(edge[number], edge[number + 1], counts.get(number, 0) / total) for number in numbers]


def _steps(found: Sequence[tuple[float, float, float]]) -> list[Point]:
    """Convert bins to the outline of a histogram, down to the axis at both ends."""
    points: list[Point] = [(found[0][0], 0.0)]
    points += [(start, share * 100) for start, _, share in found]
    return [*points, (found[-1][1], 0.0)]


def _distribution(name: str, shown: Sequence[Named], axis: Log, title: str = "Distribution") -> Markup:
    binned = [(label, style, bins(latencies)) for label, style, latencies in shown]
    highest = max(share for *_, found in binned for *_, share in found)
    chart = Chart(
        name=f"distribution-{name}",
        title=f"{title} of latencies",
        summary="Share of requests by latency, on a logarithmic axis.",
        x=Axis(axis, LATENCY_TITLE),
        y=Axis(linear(highest * 100, lambda value: f"{value:g}%"), "share of requests in a bin"),
        lines=[
            Line(label, _steps(found), style, is_stepped=True, is_filled=True)
            for label, style, found in binned
        ],
    )
    rows = [
        (f"{figures.significant(start)} to {figures.significant(end)} ms", label, figures.percent(share))
        for label, _, found in binned
        for start, end, share in found
        if share
    ]
    return figure(
        title,
        f"Bins of equal ratio, {BINS_PER_DECADE} per power of ten.",
        draw(chart),
        table("Share of requests", ("Latency", "Series", "Share"), rows, texts=2),
        _keys(shown),
    )


def _cumulative(shown: Sequence[Named], axis: Log) -> Markup:
    chart = Chart(
        name="cdf",
        title="Cumulative distribution of latencies",
        summary="Share of requests that took at most this long.",
        x=Axis(axis, LATENCY_TITLE),
        y=Axis(linear(100, lambda value: f"{value:g}%"), "requests that took at most this long"),
        lines=[
            Line(name, _cdf_points(latencies), style, is_stepped=True) for name, style, latencies in shown
        ],
    )
    rows = _percentile_rows(shown, CDF_PERCENTS)
    return figure(
        "Cumulative distribution",
        "For each time, the share of requests answered within it.",
        draw(chart),
        table("Milliseconds within which this share was answered", ("", *(name for name, *_ in shown)), rows),
        _keys(shown),
    )


def _cdf_points(latencies: LatencyHistogram) -> list[Point]:
    total, seen = len(latencies), 0
    points: list[Point] = []
    for value_us, count in latencies.counts():
        if not points:
            points.append((value_us / 1000, 0.0))
        seen += count
        points.append((value_us / 1000, seen * 100 / total))
    return points


def _tail(shown: Sequence[Named]) -> Markup:
    axis = nines(max(len(latencies) for *_, latencies in shown))
    percents = [100 - 10 ** (2 - step / 20) for step in range(axis.nines * 20 + 1)]
    curves = [
        (name, style, [(percent, latencies.percentile_ms(percent)) for percent in percents])
        for name, style, latencies in shown
    ]
    values = (value for *_, points in curves for _, value in points)
    chart = Chart(
        name="tail",
        title="Latency by percentile",
        summary="Latency at each percentile; each additional nine has the same width.",
        x=Axis(axis, "percentile, every nine equally wide"),
        y=Axis(log(values, figures.latency), LATENCY_TITLE),
        lines=[Line(name, points, style) for name, style, points in curves],
    )
    stops = (50.0, 90.0, 99.0, 99.9, 99.99, 99.999)[: axis.nines + 1]
    rows = _percentile_rows(shown, stops)
    return figure(
        "Tail",
        "Latency of the slowest requests. The axis ends where fewer than ten requests remain.",
        draw(chart),
        table("Latency in milliseconds", ("Percentile", *(name for name, *_ in shown)), rows),
        _keys(shown),
    )


def hits_and_misses(subjects: Sequence[Subject]) -> Section | None:
    """Plot the latencies of hits and misses, by result, on one axis."""
    grouped = [(one, _by_cache_result(one)) for one in subjects]
    shown = [(one, named) for one, named in grouped if named]
    if not shown:
        return None
    counts = (latencies.counts() for _, named in shown for *_, latencies in named)
    axis = log((us / 1000 for found in counts for us, _ in found), figures.latency)
    overall = [_distribution(f"cache-{one.index}", named, axis, one.name) for one, named in shown]
    by_type = [_by_type(one) for one, _ in shown]
    if len(shown) == 1:
        return section("cache", "Hits against misses", columns(*overall, *by_type))
    return section("cache", "Hits against misses", columns(*overall), columns(*by_type))


def _by_cache_result(subject: Subject) -> list[Named]:
    found = [
        (CACHE_NAMES[kind], f"cache-{kind}", subject.result.histogram(cache_result=kind))
        for kind in CACHE_RESULTS
    ]
    return [(name, style, latencies) for name, style, latencies in found if len(latencies)]


def _by_type(subject: Subject) -> Markup:
    rows = []
    for type_ in sorted({series.resource_type for series in subject.result.series}):
        for kind in CACHE_RESULTS:
            latencies = subject.result.histogram(resource_type=type_, cache_result=kind)
            if len(latencies):
                found = [(f"p{percent:g}", percentile_ms(latencies, percent)) for percent in RANGE_PERCENTS]
                # A single read has no percentiles, but a position.
                marks = [(name, value) for name, value in found if value is not None]
                marks = marks or [("longest", latencies.max_ms())]
                label = f"{type_}, {CACHE_NAMES[kind]} ({figures.whole(len(latencies))})"
                rows.append(ranges.Range(label, marks, f"cache-{kind}"))
    heads = [f"p{percent:g}" for percent in RANGE_PERCENTS]
    axis = log((value for row in rows for _, value in row.marks), figures.latency)
    plot = ranges.draw(
        ranges.RangeChart(
            name=f"types-{subject.index}",
            title="Percentiles by resource type and cache result",
            summary="p50, p95 and p99 of each type, for hits and misses separately, on a logarithmic axis.",
            x=Axis(axis, LATENCY_TITLE),
            rows=rows,
        )
    )
    cells = [
        (row.label, *(figures.milliseconds(dict(row.marks).get(name)) for name in heads)) for row in rows
    ]
    return figure(
        f"By resource type: {subject.name}",
        "From the largest dot to the smallest: p50, p95, p99, where there are enough reads.",
        plot,
        table("Latency in milliseconds", ("", *heads), cells),
    )
