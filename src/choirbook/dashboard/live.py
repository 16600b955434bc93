"""Updates sent to the open pages each second, made once for all of them.

One task per worker. While a page is open it takes a sample each second; for a quarter of an hour after that,
and while pages are open in other workers only, one every five seconds: the next viewer gets complete plots.
Until a page was opened it only checks whether one is open. A worker with open pages asks the others
every five seconds (`worker_queries`), by which they learn of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, time

import msgspec

from choirbook.dashboard.history import STEP_S, WINDOW_S, History, Point
from choirbook.dashboard.slowest import MAX_AGE_S, Slowest, SlowRead
from choirbook.dashboard.viewers import Viewer, Viewers
from choirbook.dashboard.worker_queries import WorkerQueries
from choirbook.observe.figures import KindFigures, PeriodFigures, Sample, rows
from choirbook.observe.health import HealthState, states
from choirbook.observe.metrics import CACHE_BYTES, CACHE_SIZE, CATALOG_SIZE, EVICTIONS, OPEN_STREAMS, SESSIONS
from choirbook.runtime.threads import Threads

log = logging.getLogger("choirbook.dashboard")

TICK_S = 1.0
SHOWN_SLOWEST = 12


class GaugeValues(msgspec.Struct, frozen=True):
    """Gauges that the page shows."""

    documents: float
    cached: float
    cached_bytes: float
    evictions: float
    streams: float
    sessions: float


class Snapshot(msgspec.Struct, frozen=True, tag="tick", tag_field="kind"):
    """State of the server as shown on the page."""

    at_s: float
    now: PeriodFigures
    window: PeriodFigures
    rows: list[KindFigures]
    point: Point | None
    slowest: list[SlowRead]
    states: list[HealthState]
    numbers: GaugeValues


class InitialPlots(msgspec.Struct, frozen=True, tag="hello", tag_field="kind"):
    """First message to a page: the plots so far."""

    points: list[Point]


class Live:
    """Creates snapshots, and sends them to the open pages.

    Args:
        sample: Takes a sample of all workers.
        slowest: This worker's slowest reads.
        is_ready: Returns whether this worker's first scan is complete.
        queries: Queries the other workers.
        threads: Run blocking calls.
    """

    def __init__(
        self,
        sample: Callable[[], Sample],
        slowest: Slowest,
        is_ready: Callable[[], bool],
        queries: WorkerQueries,
        threads: Threads,
    ) -> None:
        self.viewers = Viewers(self._welcome)
        self._sample = sample
        self._slowest = slowest
        self._is_ready = is_ready
        self._queries = queries
        self._threads = threads
        self._history = History()
        self._others: list[SlowRead] = []
        self._looked_s: float | None = None
        self._was_ready = False
        self._asked_s: float | None = None
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._last = b""
        self._encode = msgspec.json.Encoder().encode

    def start(self) -> None:
        """Begin, on the running event loop."""
        self._arrived = asyncio.Event()
        self.viewers.start()
        self._task = asyncio.create_task(self._run(), name="choirbook-dashboard")

    async def stop(self) -> None:
        """End the streams and the task."""
        self.viewers.close()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def _welcome(self, viewer: Viewer) -> None:
        viewer.send(self._encode(InitialPlots(list(self._history.points))))
        if self._last and len(self.viewers) > 1:
            viewer.send(self._last)
        self._arrived.set()

    async def _run(self) -> None:
        # The first window starts from the counters of this moment.
        self._was_ready = self._is_ready()
        self._history.add(await self._threads.run(self._sample))
        while True:
            try:
                await self._update()
            except Exception:
                # The page stops updating for a moment; the server is not affected.
                log.exception("cannot update the dashboard")
            await self._pause()

    async def _update(self) -> None:
        now_s = monotonic()
        if self.viewers:
            self._looked_s = now_s
            if self._asked_s is None or now_s - self._asked_s >= STEP_S:
                self._asked_s = now_s
                await self._ask_others()
        else:
            self._others = []
        looks_s = [each for each in (self._looked_s, self._queries.looked_s) if each is not None]
        if looks_s and now_s - max(looks_s) < WINDOW_S:
            self._add_sample(await self._threads.run(self._sample))

    async def _ask_others(self) -> None:
        answers = await self._queries.slowest_elsewhere()
        found = answers.reads
        if not answers.is_complete:
            # A worker that is too busy to answer is likely the one with slow reads: its last report is kept.
            oldest_s = time() - MAX_AGE_S
            found += [read for read in self._others if read.at_s >= oldest_s and read not in found]
        found.sort(key=lambda read: -read.taken_ms)
        self._others = found[:SHOWN_SLOWEST]

    def _add_sample(self, sample: Sample) -> None:
        if not self._was_ready and self._is_ready():
            # Answers given before the library was ready must not be reported as errors for long.
            self._was_ready = True
            self._history = History()
        point = self._history.add(sample)
        if self.viewers:
            self._last = self._encode(self._snapshot(sample, point))
            self.viewers.broadcast(self._last)

    def _snapshot(self, sample: Sample, point: Point | None) -> Snapshot:
        oldest = self._history.oldest
        slowest = self._slowest.reads() + self._others
        slowest.sort(key=lambda read: -read.taken_ms)
        return Snapshot(
            round(sample.at_s, 1),
            self._history.now(),
            self._history.window(),
            rows(oldest, sample),
            point,
            slowest[:SHOWN_SLOWEST],
            states(oldest.moment, sample.moment),
            GaugeValues(
                sample.value(CATALOG_SIZE),
                sample.value(CACHE_SIZE),
                sample.value(CACHE_BYTES),
                sample.value(EVICTIONS),
                sample.value(OPEN_STREAMS),
                sample.value(SESSIONS),
            ),
        )

    async def _pause(self) -> None:
        if self.viewers:
            await asyncio.sleep(TICK_S)
            return
        self._arrived.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(STEP_S):
                await self._arrived.wait()
