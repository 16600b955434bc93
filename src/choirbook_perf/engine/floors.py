"""The floor: what the generator measures at a server that does nothing, under the load that follows. Pure."""

from __future__ import annotations

import msgspec

from choirbook_perf.engine.order import ClosedLoad, Load, OpenLoad
from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.plan import Plan, PlannedTask
from choirbook_perf.results import Floor, RateStage
from choirbook_perf.scenario import ThinkTime
from choirbook_perf.targets import Operation, Request

MEASURED_S = 1.0
_WARM_UP_S = 0.2
_MIN_RATE = 200.0
"""Requests per second, so that there are enough for a p99."""
_MAX_BODY_BYTES = 1024 * 1024
_USUAL_BODY_BYTES = 2048


def load_of(load: Load, think_time_s: ThinkTime) -> Load:
    """Return the load to measure the floor with: as many requests per second, for a moment."""
    if isinstance(load, OpenLoad):
        stages = (RateStage(MEASURED_S, max(_MIN_RATE, load.highest_rate())),)
        return msgspec.structs.replace(load, stages=stages, warm_up_s=_WARM_UP_S)
    pause_s = sum(think_time_s) / len(think_time_s) if think_time_s else 0.0
    if pause_s:
        return OpenLoad(
            stages=(RateStage(MEASURED_S, max(_MIN_RATE, load.users / pause_s)),), warm_up_s=_WARM_UP_S
        )
    return ClosedLoad(
        users=load.users, run_time_s=MEASURED_S, spawn_rate=load.users / _WARM_UP_S, warm_up_s=_WARM_UP_S
    )


def plan_at(url: str, plan: Plan) -> Plan:
    """Return a plan of one request to a server that does nothing."""
    request = Request("GET", url, {"Accept": "*/*"})
    operation = Operation(name="nothing", resource_type="", kind="http", address="/", request=request)
    task = PlannedTask("nothing", 1, (operation,))
    return msgspec.structs.replace(plan, url=url, tasks=(task,), handshake=None, command=())


def body_bytes(plan: Plan) -> int:
    """Return the usual size of the responses of a plan."""
    known = [each.expected.length for each in plan.operations() if each.expected is not None]
    return min(_MAX_BODY_BYTES, sum(known) // len(known)) if known else _USUAL_BODY_BYTES


def floor_of(latencies: LatencyHistogram, duration_s: float) -> Floor | None:
    """Return the floor; None if nothing was measured."""
    if not len(latencies):
        return None
    return Floor(
        rate=round(len(latencies) / duration_s, 1),
        requests=len(latencies),
        p50_ms=latencies.percentile_ms(50),
        p95_ms=latencies.percentile_ms(95),
        p99_ms=latencies.percentile_ms(99),
    )
