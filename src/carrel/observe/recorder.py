"""How the metrics of the interface are recorded in cells.

Labels take values from the library's rules and from closed sets only, never from client text, so
the number of series is known at the start.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from carrel.errors import TABLE
from carrel.observe.cells import Slot
from carrel.observe.metrics import (
    BUCKETS_S,
    FAILED,
    HITS,
    LOADING,
    LOOKUP,
    MISSES,
    RESPONSES,
    SEARCH,
    STALE,
    SUM_CELL,
)

_HISTOGRAM_CELLS = len(BUCKETS_S) + 2


class _TypeCells(NamedTuple):
    """First cells of the series of one resource type."""

    hit: int
    miss: int
    hits: int
    misses: int
    stale: int


class Recorder:
    """Records into one worker's slot."""

    def __init__(self, slot: Slot, types: Iterable[str]) -> None:
        self._slot = slot
        self._cells = slot.cells
        self._lookup_hit = slot.series(_name(LOOKUP, cache_result="hit"), _HISTOGRAM_CELLS)
        self._lookup_miss = slot.series(_name(LOOKUP, cache_result="miss"), _HISTOGRAM_CELLS)
        self._responses = {kind: slot.series(_name(RESPONSES, status=f"{kind}xx"), 1) for kind in range(2, 6)}
        self._search = slot.series(_name(SEARCH), _HISTOGRAM_CELLS)
        for error in TABLE:
            # From the start, so that the first failure is an increase and not a new series.
            slot.series(_name(FAILED, reason=error.__name__), 1)
        self._inherited: dict[str, float] = {}
        self._types: dict[str, _TypeCells] = {}
        for type_ in types:
            self._cells_of(type_)

    def reads(self, type_: str, latencies_s: list[float], *, is_hit: bool, is_stale: bool = False) -> None:
        """Count reads of one type that one kind of place answered."""
        of_type = self._types.get(type_) or self._cells_of(type_)
        self._cells[of_type.hits if is_hit else of_type.misses] += len(latencies_s)
        if is_stale:
            self._cells[of_type.stale] += len(latencies_s)
        self._observe(of_type.hit if is_hit else of_type.miss, latencies_s)

    def lookups(self, durations_s: list[float], *, is_hit: bool) -> None:
        """Count look-ups in the cache."""
        self._observe(self._lookup_hit if is_hit else self._lookup_miss, durations_s)

    def search(self, latency_s: float) -> None:
        """Count a search that was answered."""
        self._observe(self._search, [latency_s])

    def failure(self, reason: str) -> None:
        """Count a read that ended in an error; the reason is the name of an error class."""
        self._cells[self._slot.series(_name(FAILED, reason=reason), 1)] += 1

    def responses(self, by_class: Mapping[int, int]) -> None:
        """Count HTTP responses by the first digit of their status."""
        for digit, count in by_class.items():
            self._cells[self._responses[digit]] += count

    def gauge(self, metric: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._cells[self._slot.series(_name(metric, **labels), 1)] = value

    def counter(self, metric: str, since_start: float, **labels: str) -> None:
        """Set a counter that is kept elsewhere; what the worker's predecessor counted stays in it."""
        name = _name(metric, **labels)
        cell = self._slot.series(name, 1)
        inherited = self._inherited.setdefault(name, self._cells[cell])
        self._cells[cell] = inherited + since_start

    def _observe(self, at: int, values_s: list[float]) -> None:
        """Put values into a histogram: sorted once, each bucket is then one step."""
        cells = self._cells
        values_s.sort()
        below = 0
        for bucket, bound_s in enumerate(BUCKETS_S):
            up_to = bisect_right(values_s, bound_s)
            if up_to > below:
                cells[at + bucket] += up_to - below
                below = up_to
            if below == len(values_s):
                break
        cells[at + len(BUCKETS_S)] += len(values_s) - below
        cells[at + SUM_CELL] += sum(values_s)

    def _cells_of(self, type_: str) -> _TypeCells:
        series = self._slot.series
        found = _TypeCells(
            series(_name(LOADING, resource_type=type_, cache_result="hit"), _HISTOGRAM_CELLS),
            series(_name(LOADING, resource_type=type_, cache_result="miss"), _HISTOGRAM_CELLS),
            series(_name(HITS, resource_type=type_), 1),
            series(_name(MISSES, resource_type=type_), 1),
            series(_name(STALE, resource_type=type_), 1),
        )
        self._types[type_] = found
        return found


def _name(metric: str, **labels: str) -> str:
    return "\x1f".join([metric, *(f"{key}={value}" for key, value in labels.items())])
