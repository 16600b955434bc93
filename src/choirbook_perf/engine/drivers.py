"""The two load models: when each request is sent, and by whom."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import accumulate
from random import Random
from typing import Protocol

from choirbook_perf.engine.arrivals import due_times
from choirbook_perf.engine.clients import LoadClient, Shared
from choirbook_perf.engine.links import Link
from choirbook_perf.engine.order import ClosedLoad, OpenLoad
from choirbook_perf.engine.recording import MEASURED, Span
from choirbook_perf.engine.timer import Timer
from choirbook_perf.plan import Plan
from choirbook_perf.results import RateStage
from choirbook_perf.targets import Operation

RETRY_CONNECT_S = 0.010
"""Pause of a user without think time who was refused a connection, as the server may be gone."""


class Driver(Protocol):
    """A load model."""

    users: int
    """Users at present; 0 in the open model."""
    clients: Sequence[LoadClient]

    def start(self, started_s: float) -> None:
        """Begin to send requests when they are due; the first at a time of the process's clock."""
        ...

    def stop(self) -> None:
        """Send no more requests."""
        ...


class Mix:
    """Choice of operations at random, by the weights of the tasks."""

    def __init__(self, plan: Plan, random: Random) -> None:
        self._tasks = [task.operations for task in plan.tasks]
        self._weights = list(accumulate(task.weight for task in plan.tasks))
        self._random = random

    def next(self) -> Operation:
        """Return the next operation."""
        (operations,) = self._random.choices(self._tasks, cum_weights=self._weights)
        return operations[int(self._random.random() * len(operations))]


def open_spans(load: OpenLoad) -> list[Span]:
    """Return the phases of an open load."""
    spans, at_s = [], load.warm_up_s
    if load.warm_up_s:
        spans.append(Span("warm-up", "warm-up", 0.0, load.warm_up_s, load.stages[0].rate))
    for number, stage in enumerate(load.stages, start=1):
        name = f"stage {number}" if len(load.stages) > 1 else MEASURED
        spans.append(Span(name, MEASURED, at_s, at_s + stage.duration_s, stage.rate))
        at_s += stage.duration_s
    return spans


def closed_spans(load: ClosedLoad) -> list[Span]:
    """Return the phases of a closed load."""
    ends = list(accumulate((load.ramp_s, load.warm_up_s, load.run_time_s)))
    starts = [0.0, *ends[:-1]]
    names = ("ramp", "warm-up", MEASURED)
    spans = [Span(name, name, *times) for name, *times in zip(names, starts, ends, strict=True)]
    return [span for span in spans if span.end_s > span.start_s]


class OpenDriver:
    """Requests at the times at which they are due, on as many connections as that takes."""

    users = 0

    def __init__(self, load: OpenLoad, shared: Shared, timer: Timer, random: Random) -> None:
        stages = (RateStage(load.warm_up_s, load.stages[0].rate), *load.stages)
        self.clients: Sequence[LoadClient] = [LoadClient(shared, project) for project in shared.plan.projects]
        self._turns = self._next_clients()
        self._shared = shared
        self._timer = timer
        self._mix = Mix(shared.plan, random)
        self._max_in_flight = load.max_in_flight
        self._due = due_times(stages, load.arrivals, random)
        self._started_s = 0.0
        self._is_running = False

    def start(self, started_s: float) -> None:
        """Begin to send requests when they are due."""
        self._started_s = started_s
        self._is_running = True
        self._schedule()

    def stop(self) -> None:
        """Send no more requests."""
        self._is_running = False

    def _schedule(self) -> None:
        due_s = next(self._due, None)
        if due_s is not None and self._is_running:
            self._timer.at(self._started_s + due_s, self._arrive)

    def _arrive(self, due_s: float, now_s: float) -> None:
        if not self._is_running:
            return
        shared = self._shared
        if len(shared.open) >= self._max_in_flight:
            shared.recording.skip(due_s, now_s)
        else:
            client = next(self._turns)
            link = client.links.take()
            client.send(self._mix.next(), due_s, now_s, link, lambda: client.links.put(link))
        self._schedule()

    def _next_clients(self) -> Iterator[LoadClient]:
        while True:
            for client in self.clients:
                if client.is_ready or not any(each.is_ready for each in self.clients):
                    yield client


class ClosedDriver:
    """Users who send a request, wait for its answer, think, and go on."""

    def __init__(self, load: ClosedLoad, shared: Shared, timer: Timer, random: Random) -> None:
        projects = shared.plan.projects
        self.users = 0
        self.clients: Sequence[LoadClient] = [
            LoadClient(shared, projects[number % len(projects)]) for number in range(load.users)
        ]
        self.mix = Mix(shared.plan, random)
        self.shared = shared
        self.timer = timer
        self.is_running = False
        self._random = random
        self._spawn_rate = load.spawn_rate
        self._think_time_s = shared.plan.think_time_s

    def start(self, started_s: float) -> None:
        """Begin to start users."""
        self.is_running = True
        for number, client in enumerate(self.clients):
            user = _User(client, self)
            self.timer.at(started_s + number / self._spawn_rate, user.begin)

    def stop(self) -> None:
        """Send no more requests."""
        self.is_running = False

    def think_time_s(self) -> float:
        """Return a pause between two requests of a user."""
        range_s = self._think_time_s
        return self._random.uniform(range_s[0], range_s[1]) if range_s else 0.0


class _User:
    """One user, with a link of its own."""

    __slots__ = ("_client", "_driver", "_link")

    def __init__(self, client: LoadClient, driver: ClosedDriver) -> None:
        self._client = client
        self._driver = driver
        self._link: Link | None = None

    def begin(self, due_s: float, now_s: float) -> None:
        """Open a session, if there are any, and go on."""
        del due_s, now_s
        if self._driver.is_running:
            self._driver.users += 1
            self._client.open(self._think)

    def _think(self) -> None:
        driver = self._driver
        if not driver.is_running:
            return
        now_s = time.monotonic()
        pause_s = driver.think_time_s()
        if not pause_s and self._link is not None and not self._link.is_usable:
            pause_s = RETRY_CONNECT_S if self._link.was_refused else 0.0
        if pause_s:
            driver.timer.at(now_s + pause_s, self._send)
        else:
            self._send(now_s, now_s)

    def _send(self, due_s: float, now_s: float) -> None:
        driver = self._driver
        if not driver.is_running:
            return
        if not self._client.is_ready:
            self._client.when_ready(self._think)
            return
        if self._link is None or not self._link.is_usable:
            self._link = self._client.links.take()
        self._client.send(driver.mix.next(), due_s, now_s, self._link, self._think)
