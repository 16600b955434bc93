"""Slowest reads of the last quarter of an hour."""

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
    """One stage of a slow read."""

    name: str
    start_ms: float
    """Time since the request had arrived, in milliseconds."""
    duration_ms: float


class SlowRead(msgspec.Struct, frozen=True):
    """A slow read."""

    at_s: float
    """Unix time of the answer."""
    taken_ms: float
    uri: str
    result: str
    """`hit`, `shared`, `miss`, `stale`, or the name of an error."""
    status: int
    stages: tuple[SlowStage, ...] = ()


class Slowest:
    """Collects the slowest reads from batches of responses."""

    def __init__(self) -> None:
        self._kept: list[SlowRead] = []
        self._floor_s = 0.0

    def take(self, batch: ResponseBatch) -> None:
        """Scan a batch, if any of its reads is slow enough."""
        self._drop_old()
        floor_s = self._floor_s
        if max(batch.latencies_s) <= floor_s:
            return
        for place, (kind, latency_s) in enumerate(zip(batch.kind_of_each, batch.latencies_s, strict=True)):
            if latency_s > floor_s and kind.reads:
                self._keep(batch.sent(place), latency_s)
                floor_s = self._floor_s

    def reads(self) -> list[SlowRead]:
        """Return the reads, the slowest first."""
        self._drop_old()
        return list(self._kept)

    def _drop_old(self) -> None:
        # Needed even without viewers: old reads would keep out present ones.
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
    # The same number as in the log line and the histogram, in whole microseconds like the line.
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
