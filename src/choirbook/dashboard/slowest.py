"""The slowest reads of the last quarter of an hour, kept for whoever comes to look."""

from __future__ import annotations

from time import monotonic, time

import msgspec

from choirbook.http.exchange import FailedRead
from choirbook.model import Reading
from choirbook.observe.access_log import whole_us
from choirbook.observe.batch import ResponseBatch, Sent

KEPT = 20
MAX_AGE_S = 900.0


class SlowStage(msgspec.Struct, frozen=True):
    """A part of a slow read."""

    name: str
    start_ms: float
    """Since the request was there."""
    duration_ms: float


class SlowRead(msgspec.Struct, frozen=True):
    """A read that took long."""

    at_s: float
    """Unix time at which it was answered."""
    taken_ms: float
    uri: str
    result: str
    """`hit`, `shared`, `miss`, `stale`, or an error's name."""
    status: int
    stages: tuple[SlowStage, ...] = ()


class Slowest:
    """Takes batches of what was sent, and keeps the slowest."""

    def __init__(self) -> None:
        self._kept: list[SlowRead] = []
        self._floor_s = 0.0

    def take(self, batch: ResponseBatch) -> None:
        """Look through a batch, where any of it is slow enough."""
        self._drop_old()
        floor_s = self._floor_s
        if max(batch.latencies_s) <= floor_s:
            return
        for place, (kind, latency_s) in enumerate(zip(batch.kind_of_each, batch.latencies_s, strict=True)):
            if latency_s > floor_s and kind.reads:
                self._keep(batch.sent(place), latency_s)
                floor_s = self._floor_s

    def reads(self) -> list[SlowRead]:
        """Return them, the slowest first."""
        self._drop_old()
        return list(self._kept)

    def _drop_old(self) -> None:
        # Also when nobody looks: they would keep out what is slow now.
        oldest_s = time() - MAX_AGE_S
        self._kept = [read for read in self._kept if read.at_s >= oldest_s]
        self._set_floor()

    def _keep(self, sent: Sent, latency_s: float) -> None:
        self._kept.append(_described(sent, latency_s))
        self._kept.sort(key=lambda read: -read.taken_ms)
        del self._kept[KEPT:]
        self._set_floor()

    def _set_floor(self) -> None:
        self._floor_s = self._kept[-1].taken_ms / 1000 if len(self._kept) == KEPT else 0.0


def _described(sent: Sent, latency_s: float) -> SlowRead:
    at_s = time() - monotonic() + sent.end_s
    # The very number of the log line and of the histogram, in whole microseconds as the line has it.
    taken_ms = whole_us(latency_s) / 1000
    read = sent.reads[0]
    if isinstance(read, FailedRead):
        return SlowRead(at_s, taken_ms, read.uri, read.reason, sent.status)
    if not isinstance(read, Reading):
        return SlowRead(at_s, taken_ms, read.info.uri, "hit", sent.status)
    stages = tuple(
        SlowStage(stage.name, (stage.start_s - sent.start_s) * 1000, stage.duration_s * 1000)
        for stage in read.stages
    )
    return SlowRead(at_s, taken_ms, read.info.uri, read.served_from.value, sent.status, stages)
