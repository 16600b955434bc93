"""Validity of a load: the generator must be fast enough for its figures to be the server's. Pure.

A generator that waits for a core, or has more to do than one core can, sends late and reads late, and adds
that to every latency. The limits are far from what a generator with a core of its own reaches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import NamedTuple

from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.results import Floor, Health

MAX_STOP_MS = 100.0
"""Half of the stop that has to be found; a collection of garbage or a page fault takes a tenth."""
MAX_CPU = 0.85
"""Share of a core. The wait for one that is busy for a share u grows as u / (1 - u)."""
MAX_WAIT = 0.10
"""Share of the time in which it is ready to run and has no core; one or two percent when all is well."""
MAX_LATE_MS = 1.0
MAX_LATE_SHARE = 0.10
"""Share of a latency that the generator may be to blame for."""
MAX_STEAL = 0.10
MIN_IDLE = 0.05
"""Share of the time for which its cores have nothing to do. Below, they are taken by programs that never
pause, which delay the server even where the scheduler prefers the generator."""
FLOOR_FACTOR = 3.0
"""A value is the server's only if it is this many times what is measured at a server that does nothing."""

PERCENTS = (50, 95, 99)
_NEEDED = 300
"""Percentages of samples beyond a percentile: 300 samples for a p99. Of fewer, it is merely the longest."""
_MANY = 0.01
"""Share of requests that users were kept from, above which the raw percentiles are misleading."""


class Observed(NamedTuple):
    """Observations of the generator in the measured part of a load."""

    health: Sequence[Health]
    lateness: LatencyHistogram
    """By how much requests were sent late."""
    lags: LatencyHistogram
    """By how much a timer was late."""
    responses: LatencyHistogram
    own_faults: Sequence[str]
    """Errors of the machine that it runs on."""


def reasons(observed: Observed) -> list[str]:
    """Return why the generator's figures cannot be trusted, in sentences; [] if they can."""
    return [*_faults(observed), *_stops(observed), *_processor(observed), *_delays(observed)]


def _faults(observed: Observed) -> Iterator[str]:
    for fault in observed.own_faults:
        yield (
            f"The machine of the generator could open no more connections: {fault}. Use a lower rate or "
            "--max-in-flight, or raise the limit (ulimit -n)."
        )


def _stops(observed: Observed) -> Iterator[str]:
    longest_ms = max(
        (each for each in (observed.lags.max_ms(), observed.lateness.max_ms()) if each == each),  # noqa: PLR0124 - NaN
        default=0.0,
    )
    if longest_ms > MAX_STOP_MS:
        yield f"The generator stood still, or fell behind, for {_ms(longest_ms)}."


def _processor(observed: Observed) -> Iterator[str]:
    rows = observed.health
    if not rows:
        return
    cpu = fmean(row.cpu for row in rows)
    if cpu > MAX_CPU:
        yield (
            f"The generator was saturated: it used {cpu:.0%} of a core. Use a lower rate, fewer users or "
            "think time, or another machine; the server may be faster than this."
        )
    waits = [row.wait_ms for row in rows if row.wait_ms is not None]
    wait = fmean(waits) / 1000 if waits else 0.0
    if wait > MAX_WAIT:
        yield (
            f"The generator was starved: for {wait:.0%} of the time it was ready to run and had no core. End "
            "other programs, or use another machine."
        )
    steals = [row.steal for row in rows if row.steal is not None]
    if steals and fmean(steals) > MAX_STEAL:
        yield f"The hypervisor gave {fmean(steals):.0%} of the processor time to other machines."
    idles = [row.idle for row in rows if row.idle is not None]
    if idles and fmean(idles) < MIN_IDLE:
        yield (
            f"No core was free: the cores that the generator may use were idle for {fmean(idles):.0%} of the "
            "time. End other programs, give the server fewer cores, or use another machine for the load."
        )


def _delays(observed: Observed) -> Iterator[str]:
    for what, delays in (("sent requests", observed.lateness), ("rang its timer", observed.lags)):
        for percent in PERCENTS:
            late_ms, response_ms = delays.percentile_ms(percent), observed.responses.percentile_ms(percent)
            if len(delays) * (100 - percent) < _NEEDED:
                continue
            # Written so that a NaN, of no requests, is no reason.
            if late_ms > MAX_LATE_MS and late_ms > MAX_LATE_SHARE * response_ms:
                yield (
                    f"The generator {what} late: by {_ms(late_ms)} at p{percent}, of the {_ms(response_ms)} "
                    "measured."
                )
                break


def _ms(value_ms: float) -> str:
    return f"{value_ms:,.0f} ms" if value_ms >= 100 else f"{value_ms:.3g} ms"  # noqa: PLR2004 three digits


def held_back_warning(raw: LatencyHistogram, corrected: LatencyHistogram, duration_s: float) -> str:
    """Return the warning about users who were kept from sending; "" if they hardly were."""
    missing = len(corrected) - len(raw)
    if missing <= _MANY * len(raw):
        return ""
    return (
        f"Users were held back while they waited: {missing} requests of theirs are missing in "
        f"{duration_s:.0f} s, {missing / len(corrected):.1%} of all. Corrected p95 "
        f"{corrected.percentile_ms(95):.4g} ms, raw {raw.percentile_ms(95):.4g} ms. Use --rate to "
        "measure what clients that do not wait would see."
    )


def floor_warnings(measured: LatencyHistogram, floor: Floor | None) -> list[str]:
    """Return which values are the generator's own as likely as the server's."""
    found = []
    for percent in PERCENTS:
        value_ms = measured.percentile_ms(percent)
        if not is_attributable(value_ms, percent, floor):
            floor_ms = _floor_ms(percent, floor)
            found.append(f"p{percent} {value_ms:.3g} ms (floor {floor_ms:.3g} ms)")
    if not found:
        return []
    told = (
        f"Not attributed to the server, as less than {FLOOR_FACTOR:g} times what the generator measures at a "
        f"server that does nothing: {', '.join(found)}."
    )
    return [told]


def is_attributable(value_ms: float, percent: float, floor: Floor | None) -> bool:
    """Return whether a latency is the server's, rather than the generator's own.

    Args:
        value_ms: Latency at a percentile.
        percent: The percentile; between those of the floor the next higher one counts.
        floor: What the generator measures at a server that does nothing; None if that is not known.
    """
    # A NaN, of no requests, is nobody's.
    return floor is None or not value_ms < FLOOR_FACTOR * _floor_ms(percent, floor)


def _floor_ms(percent: float, floor: Floor | None) -> float:
    if floor is None:
        return 0.0
    pairs = zip(PERCENTS, (floor.p50_ms, floor.p95_ms, floor.p99_ms), strict=True)
    return next((value_ms for limit, value_ms in pairs if percent <= limit), floor.p99_ms)
