"""One load from its start to its end, on a running event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random

from choirbook_perf.engine.clients import LoadClient, Shared, Wire
from choirbook_perf.engine.connections import Address, Connections
from choirbook_perf.engine.drivers import ClosedDriver, Driver, OpenDriver, closed_spans, open_spans
from choirbook_perf.engine.encoding import Encoded
from choirbook_perf.engine.health import HealthMonitor
from choirbook_perf.engine.links import Counters, Pool
from choirbook_perf.engine.order import Load, OpenLoad, Order
from choirbook_perf.engine.recording import MEASURED, LoadRecording
from choirbook_perf.engine.stdio import StdioLine, StdioProcess
from choirbook_perf.engine.timer import Timer
from choirbook_perf.plan import Plan
from choirbook_perf.recorder import Progress
from choirbook_perf.scenario import ThinkTime
from choirbook_perf.targets import Request

_START_S = 0.02
"""Between the preparation and the first request, in seconds."""
_LEAD_S = 0.000_100
_LEAD_SHARE = 0.2
_A_MOMENT_S = 0.001
_SESSIONS_S = 10.0
_OPEN_AT_END = "no answer before the end of the run"


def lead_s(load: Load, think_time_s: ThinkTime) -> float:
    """Return how long before a request is due the loop stops sleeping: a fifth of the time at most."""
    if isinstance(load, OpenLoad):
        return min(_LEAD_S, _LEAD_SHARE / load.highest_rate())
    pause_s = sum(think_time_s) / len(think_time_s) if think_time_s else 0.0
    return min(_LEAD_S, _LEAD_SHARE * pause_s / load.users)


class Outcome:
    """Outcome of a load.

    Args:
        recording: Counts.
        health: Observation of the process.
    """

    def __init__(self, recording: LoadRecording, health: HealthMonitor) -> None:
        self.recording = recording
        self.health = health
        self.connections_opened = 0
        self.open_at_end = 0
        self.own_faults: list[str] = []
        self.is_partial = False


class Measurement:
    """A load that is under way.

    Args:
        order: Everything that it needs to know.
        plan: Requests, in place of those of the order when the floor is measured.
        load: Their number, likewise.
        address: The server; None for processes over stdio.
        stopped: Set when the load is to end early.
        watch: Called with the progress every second.
    """

    def __init__(
        self,
        order: Order,
        plan: Plan,
        load: Load,
        address: Address | None,
        stopped: asyncio.Event,
        watch: Callable[[Progress], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        self._order = order
        self._load = load
        self._stopped = stopped
        self._watch = watch
        self._timer = Timer(loop, lead_s(load, plan.think_time_s))
        self._counters = Counters()
        self._connections = Connections(loop, address, self._counters) if address else None
        self._processes: list[StdioProcess] = []
        spans = open_spans(load) if isinstance(load, OpenLoad) else closed_spans(load)
        self._measured_s = next(span.start_s for span in spans if span.kind == MEASURED)
        started_s = time.monotonic()
        self._recording = LoadRecording(spans, started_s)
        self._health = HealthMonitor(self._timer, started_s, started_s + self._measured_s)
        encode: Callable[[Request], Wire] = Encoded if address else StdioLine.of
        self._shared = Shared(plan, encode, self._connect, self._recording, self._health)
        self._plan = plan
        self._random = Random(order.seed)  # noqa: S311 - the same load each time, nothing secret

    async def run(self) -> Outcome:
        """Make the load, wait for the answers under way, and return what came of it."""
        try:
            driver = await self._start()
            is_partial = await self._wait()
            driver.stop()
            return await self._end(driver, is_partial=is_partial)
        finally:
            self._health.close()
            self._timer.close()
            if self._connections is not None:
                self._connections.close()
            await asyncio.gather(*(process.close() for process in self._processes))

    def _connect(self) -> Pool:
        """Return the links of a client: all HTTP clients share theirs, others have a process each."""
        if self._connections is not None:
            return self._connections
        loop, plan = asyncio.get_running_loop(), self._plan
        self._processes.append(StdioProcess(loop, plan.command, plan.directory, self._counters))
        return self._processes[-1]

    async def _start(self) -> Driver:
        driver: Driver
        if isinstance(self._load, OpenLoad):
            driver = OpenDriver(self._load, self._shared, self._timer, self._random)
            await _each(driver.clients, LoadClient.open, _SESSIONS_S)
        else:
            driver = ClosedDriver(self._load, self._shared, self._timer, self._random)
        started_s = time.monotonic() + _START_S
        self._recording.started_s = started_s
        self._health.restart(started_s, started_s + self._measured_s)
        self._timer.at(started_s + 1, self._tick)
        self._driver = driver
        driver.start(started_s)
        return driver

    async def _wait(self) -> bool:
        """Wait for the end of the load; return whether it came early."""
        end_s = self._recording.started_s + self._load.total_s()
        ended = asyncio.Event()
        self._timer.at(end_s, lambda *_: ended.set())
        await _first_of(ended, self._stopped)
        is_partial = not ended.is_set()
        if is_partial:
            self._recording.cut(time.monotonic())
        return is_partial

    async def _end(self, driver: Driver, *, is_partial: bool) -> Outcome:
        outcome = Outcome(self._recording, self._health)
        outcome.is_partial = is_partial
        await self._drain(0.0 if is_partial else self._order.drain_s)
        outcome.open_at_end = sum(self._recording.is_measured(each.due_s) for each in self._shared.open)
        self._shared.give_up(float("inf"), _OPEN_AT_END)
        self._health.tick(time.monotonic())
        await _each(driver.clients, LoadClient.close, _SESSIONS_S)
        outcome.connections_opened = self._counters.opened
        outcome.own_faults = sorted(self._counters.own_faults)
        return outcome

    async def _drain(self, longest_s: float) -> None:
        if self._shared.open and longest_s:
            idle = asyncio.Event()
            self._shared.when_idle = idle.set
            await _first_of(idle, self._stopped, longest_s)

    def _tick(self, due_s: float, now_s: float) -> None:
        shared = self._shared
        self._health.tick(now_s)
        # A tick sums up the second before it.
        self._recording.see(self._driver.users, len(shared.open), due_s - _A_MOMENT_S)
        self._watch(self._recording.progress(self._driver.users, now_s))
        timeout_s = self._order.timeout_s
        shared.give_up(now_s - timeout_s, f"no answer within {timeout_s:g} s")
        self._timer.at(due_s + 1, self._tick)


async def _first_of(one: asyncio.Event, other: asyncio.Event, longest_s: float | None = None) -> None:
    """Wait for one of two events, or for a time."""
    waits = [asyncio.ensure_future(each.wait()) for each in (one, other)]
    await asyncio.wait(waits, timeout=longest_s, return_when=asyncio.FIRST_COMPLETED)
    for each in waits:
        each.cancel()


async def _each(
    clients: Sequence[LoadClient], step: Callable[[LoadClient, Callable[[], None]], None], deadline_s: float
) -> None:
    """Let all clients take a step, and wait for them, but not for ever."""
    waiting = len(clients)
    done = asyncio.Event()

    def then() -> None:
        nonlocal waiting
        waiting -= 1
        if not waiting:
            done.set()

    for client in clients:
        step(client, then)
    with suppress(TimeoutError):  # what is missing fails by itself
        async with asyncio.timeout(deadline_s):
            await done.wait()
