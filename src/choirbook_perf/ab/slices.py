"""One slice: load one server for seconds, and count what it answered and what it spent."""

from __future__ import annotations

from choirbook_perf import engine
from choirbook_perf.ab import cpu
from choirbook_perf.ab.results import Slice
from choirbook_perf.ab.schedule import Turn
from choirbook_perf.engine import ClosedLoad, OpenLoad
from choirbook_perf.errors import ServerUnreachable
from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.plan import Plan
from choirbook_perf.recorder import Measured
from choirbook_perf.results import RateStage

RESTARTED = "a process of the server ended"

HIGHEST_RATE = 2_000.0
"""Requests per second that a generator of one core makes with time to spare."""
_SHARE_OF_CAPACITY = 0.5
"""Share of what the old server can do: a slower one still keeps up, and latencies are no queue's."""
_BURST_S = 1.0
_BURST_USERS = 16
_DRAIN_S = 2.0


def measure(turn: Turn, plan: Plan, pid: int | None, rate: float, seconds: float, seed: int) -> Slice:
    """Load a server for one turn.

    Args:
        turn: Place of the slice in the comparison.
        plan: Requests for this server.
        pid: Process id of the server, None if it was not started here.
        rate: Requests per second.
        seconds: Length of the slice.
        seed: Of the requests, the same for both slices of a pair.

    Raises:
        Inconclusive: The generator ended without a result.
        KeyboardInterrupt: The slice was interrupted.
        ServerUnreachable: No request succeeded.
    """
    load = OpenLoad(stages=(RateStage(seconds, rate),), warm_up_s=0.0)
    pids = [] if pid is None else cpu.family(pid)
    before_s = cpu.cpu_s(pids)
    measured, is_partial = engine.run(plan, load, with_floor=False, seed=seed, drain_s=_DRAIN_S)
    if is_partial:
        raise KeyboardInterrupt
    cpu.settle(pids)
    after_s = cpu.cpu_s(pids)
    is_whole = pid is None or pids == cpu.family(pid)
    spent_s = None if before_s is None or after_s is None else after_s - before_s
    return _slice(turn, measured, spent_s if pids else None, seconds, is_whole=is_whole)


def _slice(turn: Turn, measured: Measured, spent_s: float | None, seconds: float, *, is_whole: bool) -> Slice:
    latencies = LatencyHistogram(pair for each in measured.series for pair in each.counts)
    requests, failures = len(latencies), sum(each.failures for each in measured.series)
    if requests == failures:
        reason = measured.failures[0].reason if measured.failures else "it got none"
        raise ServerUnreachable(f"The server answered no request successfully: {reason}. See its log.")
    p50_ms, p95_ms, p99_ms = (latencies.percentile_ms(percent) for percent in (50, 95, 99))
    return Slice(
        turn.round,
        turn.pair,
        turn.side,
        requests,
        failures,
        None if spent_s is None else spent_s / requests * 1e6,
        (requests - failures) / seconds,
        p50_ms,
        p95_ms,
        p99_ms,
        "" if is_whole else RESTARTED,
        " ".join(measured.generator.reasons),
    )


def rate_for(plan: Plan) -> float:
    """Return a rate at which a server is neither idle nor near its limit, after a short burst of load."""
    load = ClosedLoad(users=_BURST_USERS, run_time_s=_BURST_S, spawn_rate=1000.0, warm_up_s=0.0)
    measured, is_partial = engine.run(plan, load, with_floor=False)
    if is_partial:
        raise KeyboardInterrupt
    answered = sum(sum(count for _, count in each.counts) - each.failures for each in measured.series)
    return max(1.0, min(HIGHEST_RATE, float(f"{_SHARE_OF_CAPACITY * answered / _BURST_S:.1g}")))
