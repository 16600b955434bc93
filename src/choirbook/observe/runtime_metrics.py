"""Runtime metrics of a worker: event loop lag, CPU time, garbage collection.

Values that change by themselves are recorded on a timer, so that idle workers show them too; no request pays
for it.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from time import monotonic, process_time

from choirbook.observe.metrics import CPU, DESCRIPTORS_SHORT, GC_COLLECTED, GC_COLLECTIONS, GC_UNCOLLECTABLE
from choirbook.observe.recorder import Recorder
from choirbook.runtime.exhaustion import is_short

PROBE_S = 0.1
"""Interval between checks of the loop, in seconds: anything that blocks it for longer is seen."""

PROBES_A_TURN = 10
"""Number of checks after which everything is recorded, once a second."""

_GC_METRICS = {
    "collections": GC_COLLECTIONS,
    "collected": GC_COLLECTED,
    "uncollectable": GC_UNCOLLECTABLE,
}


class RuntimeMetrics:
    """Measures this process, and records the results.

    Args:
        on_write: Called once a second, after the metrics were written.
    """

    def __init__(self, on_write: Callable[[], None]) -> None:
        self._on_write = on_write
        self._recorder: Recorder | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = 0.0
        self._lags_s: list[float] = []
        self._began_cpu_s = 0.0
        self._began_gc: list[dict[str, int]] = []

    def start(self, recorder: Recorder) -> None:
        """Start to observe, on the running event loop.

        Args:
            recorder: Records metrics.
        """
        self._recorder = recorder
        # A forked worker inherits the parent's CPU time, which is not its own.
        self._began_cpu_s = process_time()
        self._began_gc = gc.get_stats()
        self.write()
        self._wait()

    def stop(self) -> None:
        """Stop observing."""
        self.write()
        self._recorder = None
        if self._timer is not None:
            self._timer.cancel()

    def write(self) -> None:
        """Write the present metrics."""
        recorder = self._recorder
        if recorder is None:
            return
        lags_s, self._lags_s = self._lags_s, []
        recorder.loop_lags(lags_s)
        recorder.gauge(DESCRIPTORS_SHORT, float(is_short()))
        recorder.counter(CPU, process_time() - self._began_cpu_s)
        for generation, (began, now) in enumerate(zip(self._began_gc, gc.get_stats(), strict=True)):
            for key, metric in _GC_METRICS.items():
                recorder.counter(metric, now[key] - began[key], generation=str(generation))

    def _wait(self) -> None:
        self._due_s = monotonic() + PROBE_S
        self._timer = asyncio.get_running_loop().call_later(PROBE_S, self._probe)

    def _probe(self) -> None:
        # Timers have a resolution, and one that is early is not late.
        self._lags_s.append(max(0.0, monotonic() - self._due_s))
        if len(self._lags_s) >= PROBES_A_TURN:
            self.write()
            self._on_write()
        self._wait()
