"""Recording of metrics in the cells of one worker.

Labels take values from the library's rules and from closed sets only, never from client text, so the number
of series is known at the start. All possible series exist from the start: the first event of its kind is then
an increase, and not a new series.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from choirbook.errors import TABLE
from choirbook.http.exchange import Operation
from choirbook.mcp.operations import OTHER, TOOL_ERROR
from choirbook.observe.exemplars import Exemplar
from choirbook.observe.metrics import (
    FAILED,
    HITS,
    LOADING,
    LOOKUP,
    LOOP_LAG,
    METRICS,
    MISSES,
    OPERATIONS,
    RESPONSES,
    SEARCH,
    SENT_BYTES,
    STALE,
    STATUS_CLASSES,
)
from choirbook.observe.shared_metrics import Slot


class _Histogram(NamedTuple):
    """A series of buckets."""

    at: int
    """Index of its first cell."""
    bounds: tuple[float, ...]


class _OfType(NamedTuple):
    """Series of one resource type."""

    hit: _Histogram
    miss: _Histogram
    hits: int
    misses: int
    stale: int


class Recorder:
    """Records into one worker's slot.

    Args:
        slot: Slot of this worker alone.
        types: Resource types of the library.
        operations: MCP messages that the server knows, as reported when they succeed.
    """

    def __init__(self, slot: Slot, types: Iterable[str], operations: Iterable[Operation] = ()) -> None:
        self._slot = slot
        self._cells = slot.cells
        self._lookup_hit = self._histogram(LOOKUP, cache_result="hit")
        self._lookup_miss = self._histogram(LOOKUP, cache_result="miss")
        self._responses = {
            digit: slot.series(_name(RESPONSES, status=f"{digit}xx"), 1) for digit in STATUS_CLASSES
        }
        self._sent_bytes = slot.series(_name(SENT_BYTES), 1)
        self._search = self._histogram(SEARCH)
        self._loop_lag = self._histogram(LOOP_LAG)
        for error in TABLE:
            slot.series(_name(FAILED, reason=error.__name__), 1)
        self._inherited: dict[str, float] = {}
        self._types: dict[str, _OfType] = {}
        for type_ in types:
            self._series_of(type_)
        self._operations = {each: self._operation(each) for each in (*operations, Operation(OTHER))}

    def reads(self, type_: str, latencies_s: list[float], *, is_hit: bool, is_stale: bool = False) -> None:
        """Count reads of one type and origin."""
        of_type = self._types.get(type_) or self._series_of(type_)
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

    def operations(self, operation: Operation, durations_s: list[float]) -> None:
        """Count MCP messages with the same result."""
        histogram = self._operations.get(operation)
        if histogram is None:
            histogram = self._operations[operation] = self._operation(operation)
        self._observe(histogram, durations_s)

    def exemplify_read(self, type_: str, exemplar: Exemplar, *, is_hit: bool) -> None:
        """Set a traced read as exemplar; it was counted before."""
        of_type = self._types.get(type_) or self._series_of(type_)
        self._exemplify(of_type.hit if is_hit else of_type.miss, exemplar)

    def exemplify_operation(self, operation: Operation, exemplar: Exemplar) -> None:
        """Set a traced MCP message as exemplar; it was counted before."""
        histogram = self._operations.get(operation)
        if histogram is not None:
            self._exemplify(histogram, exemplar)

    def loop_lags(self, lags_s: list[float]) -> None:
        """Record delays of the event loop."""
        self._observe(self._loop_lag, lags_s)

    def failures(self, reason: str, count: int) -> None:
        """Count reads that ended in an error; the reason is the name of an error class."""
        self._cells[self._slot.series(_name(FAILED, reason=reason), 1)] += count

    def responses(self, by_class: Mapping[int, int], body_bytes: int) -> None:
        """Count HTTP responses by the first digit of their status, and the bytes of their bodies."""
        for digit, count in by_class.items():
            self._cells[self._responses[digit]] += count
        self._cells[self._sent_bytes] += body_bytes

    def gauge(self, metric: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._cells[self._slot.series(_name(metric, **labels), 1)] = value

    def counter(self, metric: str, since_start: float, **labels: str) -> None:
        """Set a counter that is kept elsewhere; the count of the worker's predecessor stays included."""
        name = _name(metric, **labels)
        cell = self._slot.series(name, 1)
        inherited = self._inherited.setdefault(name, self._cells[cell])
        self._cells[cell] = inherited + since_start

    def _histogram(self, metric: str, **labels: str) -> _Histogram:
        bounds = METRICS[metric].bounds
        return _Histogram(self._slot.series(_name(metric, **labels), len(bounds) + 2), bounds)

    def _observe(self, histogram: _Histogram, values: list[float]) -> None:
        """Add values to a histogram: sorted once, each bucket is then one step."""
        at, bounds = histogram
        cells = self._cells
        values.sort()
        below = 0
        for bucket, bound in enumerate(bounds):
            up_to = bisect_right(values, bound)
            if up_to > below:
                cells[at + bucket] += up_to - below
                below = up_to
            if below == len(values):
                break
        cells[at + len(bounds)] += len(values) - below
        cells[at + len(bounds) + 1] += sum(values)

    def _exemplify(self, histogram: _Histogram, exemplar: Exemplar) -> None:
        self._slot.records.write(histogram.at + bisect_left(histogram.bounds, exemplar.value), exemplar)

    def _operation(self, operation: Operation) -> _Histogram:
        labels = {"mcp_method_name": operation.method}
        if operation.error:
            labels["error_type"] = operation.error
            if operation.error != TOOL_ERROR:
                labels["rpc_response_status_code"] = operation.error
        if operation.tool:
            labels |= {"gen_ai_tool_name": operation.tool, "gen_ai_operation_name": "execute_tool"}
        return self._histogram(OPERATIONS, **labels)

    def _series_of(self, type_: str) -> _OfType:
        series = self._slot.series
        found = _OfType(
            self._histogram(LOADING, resource_type=type_, cache_result="hit"),
            self._histogram(LOADING, resource_type=type_, cache_result="miss"),
            series(_name(HITS, resource_type=type_), 1),
            series(_name(MISSES, resource_type=type_), 1),
            series(_name(STALE, resource_type=type_), 1),
        )
        self._types[type_] = found
        return found


def _name(metric: str, **labels: str) -> str:
    return "\x1f".join([metric, *(f"{key}={value}" for key, value in labels.items())])
