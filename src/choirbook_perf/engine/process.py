"""The process that makes a load: takes an `Order` as JSON on stdin, and prints what it measured.

Run as `python -m choirbook_perf.engine.process PARENT-PID`. Each line on stdout is a `Progress`, but the last
one is `Measured`. SIGTERM ends the load early, with what was measured so far.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import socket
import sys
import time
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec

from choirbook_perf.access import Tls
from choirbook_perf.engine import floors, validity
from choirbook_perf.engine.connections import Address
from choirbook_perf.engine.loops import end_with_parent, runner
from choirbook_perf.engine.measuring import Measurement, Outcome
from choirbook_perf.engine.order import OpenLoad, Order
from choirbook_perf.engine.recording import MEASURED
from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.recorder import Measured, Progress
from choirbook_perf.results import Floor, Generator, Health

_CONNECT_S = 5.0
_GC_THRESHOLD = 100_000


async def run(order: Order) -> Measured:
    """Measure the floor, make the load, and evaluate both."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    floor = await _floor(order, stopped)
    plan = order.plan
    address = None if plan.command else _address(plan.url, plan.tls)
    # What was made so far lives as long as the process; the collector need not look at it.
    gc.collect()
    gc.freeze()
    outcome = await Measurement(order, plan, order.load, address, stopped, _tell).run()
    return _measured(order, outcome, floor)


async def _floor(order: Order, stopped: asyncio.Event) -> Floor | None:
    if not order.null_url:
        return order.floor
    load = floors.load_of(order.load, order.plan.think_time_s)
    plan = floors.plan_at(order.null_url, order.plan)
    outcome = await Measurement(order, plan, load, _address(order.null_url, Tls()), stopped, _ignore).run()
    return floors.floor_of(outcome.recording.responses(), load.measured_s())


def _measured(order: Order, outcome: Outcome, floor: Floor | None) -> Measured:
    recording, load = outcome.recording, order.load
    responses = recording.responses()
    measured = [span for span in recording.spans if span.kind == MEASURED]
    duration_s = sum(span.end_s - span.start_s for span in measured)
    rows = _rows_between(outcome.health.rows, measured[0].start_s, measured[-1].end_s)
    observed = validity.Observed(
        health=rows,
        lateness=LatencyHistogram(recording.lateness.items()),
        lags=LatencyHistogram(outcome.health.lags.items()),
        responses=responses,
        own_faults=outcome.own_faults,
    )
    is_open = isinstance(load, OpenLoad)
    interval_us = None if is_open else _interval_us(recording.services(), order.plan.think_time_s)
    series = recording.series(interval_us)
    corrected = LatencyHistogram(pair for each in series for pair in each.judged_counts)
    reasons = validity.reasons(observed)
    generator = Generator(
        name="choirbook",
        model="open" if is_open else "closed",
        arrivals=load.arrivals if isinstance(load, OpenLoad) else "",
        rate=load.stages[0].rate if isinstance(load, OpenLoad) and len(load.stages) == 1 else None,
        users=None if isinstance(load, OpenLoad) else load.users,
        stages=list(load.stages) if isinstance(load, OpenLoad) and len(load.stages) > 1 else [],
        max_in_flight=load.max_in_flight if isinstance(load, OpenLoad) else None,
        is_checked=True,
        is_valid=not reasons,
        reasons=reasons,
        warnings=_warnings(order, outcome, responses, corrected, duration_s, floor),
        floor=floor,
        connections_opened=outcome.connections_opened,
        open_at_end=outcome.open_at_end,
        unsent=recording.unsent,
        held_back=len(corrected) - len(responses),
        health=outcome.health.rows,
    )
    return Measured(
        started_s=time.time() - (time.monotonic() - recording.started_s),
        duration_s=round(duration_s, 3),
        generator=generator,
        series=series,
        by_second=recording.by_second(interval_us),
        timeline=recording.ticks(),
        failures=recording.failures(),
        phases=recording.phases(),
        first_byte_counts=sorted(recording.first_bytes.items()),
    )


def _warnings(
    order: Order,
    outcome: Outcome,
    responses: LatencyHistogram,
    corrected: LatencyHistogram,
    duration_s: float,
    floor: Floor | None,
) -> list[str]:
    found = validity.floor_warnings(responses, floor)
    if not isinstance(order.load, OpenLoad):
        found.append(validity.held_back_warning(responses, corrected, duration_s))
    elif outcome.recording.unsent:
        found.append(
            f"{outcome.recording.unsent} requests were due and not sent, as {order.load.max_in_flight} were "
            "under way (--max-in-flight). They are in no percentile."
        )
    return [each for each in found if each]


def _rows_between(rows: list[Health], start_s: float, end_s: float) -> list[Health]:
    """Return the rows of complete measured seconds; those that there are, if none is complete."""
    return [row for row in rows if start_s <= row.second < end_s] or rows[-1:]


def _interval_us(services: LatencyHistogram, think_time_s: tuple[float, ...]) -> float | None:
    """Return the usual time from one request of a user to its next."""
    if not len(services):
        return None
    pause_s = sum(think_time_s) / len(think_time_s) if think_time_s else 0.0
    return pause_s * 1e6 + services.percentile_ms(50) * 1e3


def _address(url: str, tls: Tls) -> Address:
    """Look the server up, once; of several addresses the first one that answers."""
    parts = urlsplit(url)
    name, is_tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    context = tls.context() if is_tls else None
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    hosts = [str(place[0]) for *_, place in found]
    for host in hosts[:-1]:
        with suppress(OSError), socket.create_connection((host, port), _CONNECT_S):
            return Address(host, port, name, context)
    return Address(hosts[-1], port, name, context)


def _tell(progress: Progress) -> None:
    with suppress(BrokenPipeError):  # the process that listened is gone, and SIGTERM on its way
        sys.stdout.buffer.write(msgspec.json.encode(progress) + b"\n")
        sys.stdout.buffer.flush()


def _ignore(_: Progress) -> None:
    """Keep the progress to itself."""


def _raise_limits() -> None:
    """Allow as many connections as the system does."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    """Make the load that stdin orders."""
    end_with_parent(int(sys.argv[1]))
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    _raise_limits()
    # A collection is a pause. Only failed connections leave cycles, with their tracebacks.
    gc.set_threshold(_GC_THRESHOLD)
    with runner() as running:
        measured = running.run(run(order))
    sys.stdout.buffer.write(msgspec.json.encode(measured) + b"\n")
    sys.stdout.buffer.flush()
    os._exit(0)  # the memory of a long load takes a while to free


if __name__ == "__main__":
    main()
