"""What a comparison found, as a file, and the arithmetic of its table. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import msgspec

from benchmarks.sampling import Sample

FORMAT = 1
REFERENCE, FLOOR = "carrel", "floor"


class Series(msgspec.Struct, frozen=True):
    """The samples of one server at one kind of request, a round each."""

    peer: str
    case: str
    samples: list[Sample]


class Missing(msgspec.Struct, frozen=True):
    """A server that was not measured."""

    peer: str
    case: str
    """Which kind of request; "" for all."""
    reason: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One run of `python -m benchmarks.peers`."""

    format: int = FORMAT
    kind: str = "peers"
    started: str
    """RFC 3339, UTC."""
    environment: dict[str, Any]
    document_bytes: int
    rounds: int
    seconds: int
    connections: int
    is_partial: bool = False
    series: list[Series]
    missing: list[Missing]


class Row(msgspec.Struct, frozen=True):
    """One row of the table."""

    case: str
    peer: str
    cpu_us: float
    """Median of the rounds, per request."""
    to_carrel: float | None
    """Median of the ratios of CPU per request, round by round: above 1 costs more than Carrel."""
    to_floor: float | None
    p50_ms: float
    p95_ms: float
    p99_ms: float
    requests_per_s: float
    requests: int
    """All rounds together."""


def rows_of(series: Sequence[Series]) -> list[Row]:
    """Return the table, the cheapest server of each kind of request first."""
    rows = [_row(each, series) for each in series if each.samples]
    order = {case: position for position, case in enumerate(dict.fromkeys(each.case for each in series))}
    return sorted(rows, key=lambda row: (order[row.case], row.cpu_us))


def _row(one: Series, all_: Sequence[Series]) -> Row:
    def median(field: str) -> float:
        middle: float = statistics.median(getattr(sample, field) for sample in one.samples)
        return middle

    return Row(
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


def _beside(one: Series, peer: str, all_: Sequence[Series]) -> Series | None:
    return next((each for each in all_ if each.peer == peer and each.case == one.case), None)


def ratio(one: Series, other: Series | None) -> float | None:
    """Return the median of the ratios of CPU per request, round by round.

    The rounds of a pair lie seconds apart, so what else the machine does hits both. A round that only one of
    them finished does not count.
    """
    if other is None:
        return None
    pairs = zip(one.samples, other.samples, strict=False)
    ratios = [mine.cpu_us / theirs.cpu_us for mine, theirs in pairs if theirs.cpu_us > 0]
    return statistics.median(ratios) if ratios else None


def table_of(comparison: Comparison) -> str:
    """Return the table for a person."""
    partial = ", partial" if comparison.is_partial else ""
    turns = f"{comparison.rounds} rounds of {comparison.seconds} s{partial}"
    made = f"{comparison.document_bytes:,} bytes, {comparison.connections} connections, {turns}"
    heads = ("CPU us", "x Carrel", "x floor", "p50 ms", "p95 ms", "p99 ms", "req/s", "requests")
    lines = [made]
    case = ""
    for row in rows_of(comparison.series):
        if row.case != case:
            case = row.case
            lines += ["", f"{case:<26}" + "".join(f"{head:>10}" for head in heads)]
        figures = (row.cpu_us, 1), (row.to_carrel, 2), (row.to_floor, 2), (row.p50_ms, 1), (row.p95_ms, 1)
        more = (row.p99_ms, 1), (row.requests_per_s, 0), (row.requests, 0)
        lines.append(f"  {row.peer:<24}" + "".join(_cell(*figure) for figure in figures + more))
    lines += [""] if comparison.missing else []
    lines += [
        f"not measured: {each.peer}{each.case and f', {each.case}'}: {each.reason}"
        for each in comparison.missing
    ]
    return "\n".join(lines)


def _cell(figure: float | None, digits: int) -> str:
    return f"{'-':>10}" if figure is None else f"{figure:>10,.{digits}f}"
