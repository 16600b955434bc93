"""The generator's observation of itself: once a second, and by a timer that rings every ten milliseconds."""

from __future__ import annotations

import gc
import time
from typing import Any

from choirbook_perf.engine.kernel import Machine, machine
from choirbook_perf.engine.recording import LATE_S
from choirbook_perf.engine.timer import Timer
from choirbook_perf.histogram import rounded_us
from choirbook_perf.results import Health

PROBE_S = 0.010
"""Finds a stop of 20 ms for certain, and costs a hundredth of a core."""


class HealthMonitor:
    """Observation of this process.

    Args:
        timer: Timer that requests depend on too.
        started_s: Start of the load, by the process's clock.
        measured_s: Start of what is measured.
    """

    def __init__(self, timer: Timer, started_s: float, measured_s: float) -> None:
        self.rows: list[Health] = []
        self.lags: dict[int, int] = {}
        """By how many microseconds the timer was late, since the start of what is measured."""
        self._timer = timer
        self._started_s = started_s
        self._measured_s = measured_s
        self._machine = machine()
        self._cpu_s = time.process_time()
        self._seen_s = started_s
        self._lag_s = self._late_s = self._gc_s = 0.0
        self._sent = self._late = 0
        self._collecting_s = 0.0
        self._is_open = True
        gc.callbacks.append(self._collect)
        timer.at(started_s + PROBE_S, self._probe)

    def restart(self, started_s: float, measured_s: float) -> None:
        """Begin to count anew: the load starts later than the process."""
        self._started_s, self._measured_s, self._seen_s = started_s, measured_s, started_s
        self._machine, self._cpu_s = machine(), time.process_time()
        self._lag_s = self._late_s = self._gc_s = 0.0

    def send(self, late_s: float) -> None:
        """Count a request that was sent so long after it was due."""
        self._sent += 1
        if late_s > LATE_S:
            self._late += 1
            self._late_s = max(self._late_s, late_s)

    def tick(self, now_s: float) -> None:
        """Close a second."""
        now, cpu_s = machine(), time.process_time()
        elapsed_s = max(now_s - self._seen_s, 1e-3)
        self.rows.append(
            Health(
                second=int(self._seen_s - self._started_s),
                cpu=round((cpu_s - self._cpu_s) / elapsed_s, 4),
                wait_ms=_difference(self._machine.waited_s, now.waited_s, elapsed_s, 1000),
                lag_ms=round(self._lag_s * 1000, 3),
                sent=self._sent,
                late=self._late,
                late_ms=round(self._late_s * 1000, 3),
                gc_ms=round(self._gc_s * 1000, 3),
                psi=_difference(self._machine.stalled_s, now.stalled_s, elapsed_s),
                steal=_stolen(self._machine, now),
                idle=_difference(self._machine.idle_s, now.idle_s, elapsed_s),
            )
        )
        self._machine, self._cpu_s, self._seen_s = now, cpu_s, now_s
        self._lag_s = self._late_s = self._gc_s = 0.0
        self._sent = self._late = 0

    def close(self) -> None:
        """Stop observing."""
        self._is_open = False
        gc.callbacks.remove(self._collect)

    def _probe(self, due_s: float, now_s: float) -> None:
        lag_s = now_s - due_s
        self._lag_s = max(self._lag_s, lag_s)
        if due_s >= self._measured_s:
            lag_us = rounded_us(lag_s)
            self.lags[lag_us] = self.lags.get(lag_us, 0) + 1
        if self._is_open:
            self._timer.at(max(due_s, now_s - PROBE_S) + PROBE_S, self._probe)

    def _collect(self, phase: str, _: dict[str, Any]) -> None:
        if phase == "start":
            self._collecting_s = time.monotonic()
        else:
            self._gc_s = max(self._gc_s, time.monotonic() - self._collecting_s)


def _difference(
    before: float | None, after: float | None, elapsed_s: float, unit: float = 1.0
) -> float | None:
    """Return by how much a counter grew per second."""
    return None if before is None or after is None else round((after - before) / elapsed_s * unit, 4)


def _stolen(before: Machine, after: Machine) -> float | None:
    if before.stolen_s is None or after.stolen_s is None or before.total_s is None or after.total_s is None:
        return None
    total_s = after.total_s - before.total_s
    return round((after.stolen_s - before.stolen_s) / total_s, 4) if total_s > 0 else 0.0
