"""Section that plots the run second by second: percentiles, throughput, users. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from choirbook_perf import figures
from choirbook_perf.plots.chart import Axis, Chart, Limit, Line, Point, draw
from choirbook_perf.plots.scales import Linear, Log, linear, log, seconds
from choirbook_perf.report.parts import Section, columns, figure, legend, section, table
from choirbook_perf.report.subjects import Subject
from choirbook_perf.report.tables import limit_of
from choirbook_perf.results import Tick

PERCENTILES: tuple[tuple[str, Callable[[Tick], float | None]], ...] = (
    ("p50", lambda tick: tick.p50_ms),
    ("p95", lambda tick: tick.p95_ms),
    ("p99", lambda tick: tick.p99_ms),
)
TABLE_ROWS = 60
"""Maximum rows of a table: more seconds are grouped into rows, as nobody reads a table of 300 rows."""


def timeline(subjects: Sequence[Subject]) -> Section | None:
    """Plot each result over time, all with the same axes."""
    shown = [one for one in subjects if one.result.timeline]
    if not shown:
        return None
    ticks = [tick for one in shown for tick in one.result.timeline]
    time = seconds(max(tick.second for tick in ticks), figures.clock)
    latencies = log(
        (value for tick in ticks for _, of in PERCENTILES if (value := of(tick))), figures.latency
    )
    rates = linear(max(tick.requests for tick in ticks))
    percentiles = [_percentiles(one, time, latencies) for one in shown]
    throughput = [_throughput(one, time, rates) for one in shown]
    if len(shown) == 1:
        return section("time", "Over time", columns(*percentiles, *throughput))
    return section("time", "Over time", columns(*percentiles), columns(*throughput))


def _percentiles(subject: Subject, time: Linear, latencies: Log) -> Markup:
    ticks = subject.result.timeline
    limits = [
        Limit(limit, f"limit of {name}: {figures.latency(limit)}")
        for name, _ in PERCENTILES
        if (limit := limit_of(subject.result.verdict, name)) is not None
    ]
    chart = Chart(
        name=f"percentiles-{subject.index}",
        title=f"Percentiles over time: {subject.name}",
        summary="p50, p95 and p99 of each second, on a logarithmic axis.",
        x=Axis(time, "time since the start"),
        y=Axis(latencies, "latency in a second, log axis"),
        lines=[
            Line(name, [(tick.second, of(tick) or None) for tick in ticks], f"time-{name}")
            for name, of in PERCENTILES
        ],
        limits=limits,
    )
    return figure(
        f"Percentiles: {subject.name}",
        "Percentiles of the requests of each second.",
        draw(chart),
        _numbers(ticks),
        legend([(name, f"time-{name}") for name, _ in PERCENTILES]),
    )


def _throughput(subject: Subject, time: Linear, rates: Linear) -> Markup:
    ticks = subject.result.timeline
    failed: list[Point] = [(tick.second, float(tick.failures)) for tick in ticks]
    lines = [
        Line(
            "answered", [(tick.second, float(tick.requests)) for tick in ticks], subject.style, is_filled=True
        ),
        Line("users", [(tick.second, float(tick.users)) for tick in ticks], "users", is_stepped=True),
    ]
    if any(count for _, count in failed):
        lines.append(Line("failed", failed, "failed"))
    chart = Chart(
        name=f"throughput-{subject.index}",
        title=f"Throughput over time: {subject.name}",
        summary="Requests, failed requests and users in each second.",
        x=Axis(time, "time since the start"),
        y=Axis(rates, "requests per second; users"),
        lines=lines,
    )
    keys = legend([(line.label, line.style) for line in lines])
    return figure(f"Throughput: {subject.name}", _throughput_words(ticks), draw(chart), _numbers(ticks), keys)


def _throughput_words(ticks: Sequence[Tick]) -> str:
    full = max(tick.users for tick in ticks)
    # The last second is incomplete.
    steady = [tick.requests for tick in ticks[:-1] or ticks if tick.users == full]
    if not steady:
        return "There was no full second with all users."
    mean, users = figures.significant(sum(steady) / len(steady)), figures.whole(full)
    if not full:
        return f"{mean} requests per second on average."
    return f"{mean} requests per second on average while all {users} users were active."


def _numbers(ticks: Sequence[Tick]) -> Markup:
    every = -(-len(ticks) // TABLE_ROWS)
    rows = [_gathered(ticks[at : at + every]) for at in range(0, len(ticks), every)]
    note = f"; one row is {every} s, with the highest percentile of any second in it" if every > 1 else ""
    head = ("Time", "Users", "Requests/s", "Failed", *(f"{name}, ms" for name, _ in PERCENTILES))
    return table(f"Second by second{note}", head, rows)


def _gathered(ticks: Sequence[Tick]) -> list[str]:
    highest = [
        max((value for tick in ticks if (value := of(tick)) is not None), default=None)
        for _, of in PERCENTILES
    ]
    return [
        figures.clock(ticks[0].second),
        figures.whole(max(tick.users for tick in ticks)),
        figures.significant(sum(tick.requests for tick in ticks) / len(ticks)),
        figures.whole(sum(tick.failures for tick in ticks)),
        *map(figures.milliseconds, highest),
    ]
