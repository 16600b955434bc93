"""Result of a comparison of servers that took turns (`scripts/peers`), with its arithmetic. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

FORMAT = 1
REFERENCE, FLOOR = "choirbook", "floor"


class Sample(NamedTuple):
    """One round of one server; an array in the file."""

    cpu_us: float
    """User and system time of all the server's processes, per request."""
    requests_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    requests: int


class PeerSeries(msgspec.Struct, frozen=True):
    """Samples of one server for one kind of request, one per round."""

    peer: str
    case: str
    samples: list[Sample]


class Missing(msgspec.Struct, frozen=True):
    """A server that was not measured."""

    peer: str
    case: str
    """Kind of request; "" for all."""
    reason: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One run of `scripts/peers`."""

    format: int = FORMAT
    kind: str = "peers"
    started: str
    """Start of the run, RFC 3339, UTC."""
    environment: dict[str, Any]
    """A `results.Environment`, or the parts of one that the file has."""
    document_bytes: int
    rounds: int
    seconds: int
    connections: int
    is_partial: bool = False
    series: list[PeerSeries]
    missing: list[Missing]


class PeerRow(msgspec.Struct, frozen=True):
    """One row of a table."""

    case: str
    peer: str
    cpu_us: float
    """Median of the rounds, per request."""
    to_choirbook: float | None
    """Median of the ratios of CPU per request, by round: above 1 costs more than Choirbook."""
    to_floor: float | None
    p50_ms: float
    p95_ms: float
    p99_ms: float
    requests_per_s: float
    requests: int
    """Number of requests of all rounds together."""


def rows_of(series: Sequence[PeerSeries]) -> list[PeerRow]:
    """Return the rows of the table, the cheapest server of each kind of request first."""
    rows = [_row(each, series) for each in series if each.samples]
    order = {case: position for position, case in enumerate(dict.fromkeys(each.case for each in series))}
    return sorted(rows, key=lambda row: (order[row.case], row.cpu_us))


def _row(one: PeerSeries, all_: Sequence[PeerSeries]) -> PeerRow:
    def median(field: str) -> float:
        middle: float = statistics.median(getattr(sample, field) for sample in one.samples)
        return middle

    return PeerRow(
        one.case,
        one.peer,
        median("cpu_us"),
        ratio(one, _beside(one, REFERENCE, all_)),
        ratio(one, _beside(one, FLOOR, all_)),
        median("p50_ms"),
        median("p95_ms"),
        median("p99_ms"),
        median("requests_per_s"),
        sum(sample.requests for sample in one.samples),
    )


def _beside(one: PeerSeries, peer: str, all_: Sequence[PeerSeries]) -> PeerSeries | None:
    return next((each for each in all_ if each.peer == peer and each.case == one.case), None)


def ratio(one: PeerSeries, other: PeerSeries | None) -> float | None:
    """Return the median of the ratios of CPU per request, by round.

    The rounds of a pair are seconds apart, so other load on the machine affects both. A round that only one
    of them finished does not count.
    """
    if other is None:
        return None
    pairs = zip(one.samples, other.samples, strict=False)
    ratios = [mine.cpu_us / theirs.cpu_us for mine, theirs in pairs if theirs.cpu_us > 0]
    return statistics.median(ratios) if ratios else None
