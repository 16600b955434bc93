"""The table of a comparison with other servers, as `python -m benchmarks.peers` writes it. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from carrel_perf import figures
from carrel_perf.runbook.markdown import table

REFERENCE, FLOOR = "carrel", "floor"


class Sample(NamedTuple):
    """One round of one server; an array in the file."""

    cpu_us: float
    requests_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    requests: int


class Series(msgspec.Struct, frozen=True):
    """The rounds of one server at one kind of request."""

    peer: str
    case: str
    samples: list[Sample]


class Missing(msgspec.Struct, frozen=True):
    """A server that was not measured."""

    peer: str
    case: str
    reason: str


class Peers(msgspec.Struct, frozen=True):
    """As much of a comparison as the page shows."""

    document_bytes: int
    rounds: int
    seconds: int
    connections: int
    series: list[Series]
    missing: list[Missing]
    is_partial: bool = False


def shown(peers: Peers) -> str:
    """Show the servers by kind of request, the cheapest first."""
    words = (
        f"{figures.whole(peers.document_bytes)} bytes, {peers.connections} connections without think time, "
        f"{peers.rounds} rounds of {peers.seconds} s in turns; medians of the rounds."
    )
    if peers.is_partial:
        words += " **The run was interrupted.**"
    head = (
        "Request",
        "Server",
        "CPU µs/request",
        "to Carrel",
        "to floor",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "req/s",
    )
    told = [_missing(one) for one in peers.missing]
    return "\n\n".join([words, table(head, _rows(peers.series), texts=2), *told])


def _missing(one: Missing) -> str:
    return f"> **Not measured:** {one.peer}{one.case and f', {one.case}'}: {one.reason}"


def _rows(series: Sequence[Series]) -> list[list[str]]:
    cases = list(dict.fromkeys(one.case for one in series))
    measured = sorted(
        (one for one in series if one.samples), key=lambda one: (cases.index(one.case), cpu_us(one))
    )
    return [_row(one, series) for one in measured]


def _row(one: Series, beside: Sequence[Series]) -> list[str]:
    ratios = [ratio(one, of(beside, peer, one.case)) for peer in (REFERENCE, FLOOR)]
    medians = [
        statistics.median(values)
        for values in (
            [sample.p50_ms for sample in one.samples],
            [sample.p95_ms for sample in one.samples],
            [sample.p99_ms for sample in one.samples],
            [sample.requests_per_s for sample in one.samples],
        )
    ]
    return [one.case, one.peer, *map(figures.significant, (cpu_us(one), *ratios, *medians))]


def cpu_us(one: Series) -> float:
    """Return the median of the rounds' CPU time for a request."""
    return statistics.median(sample.cpu_us for sample in one.samples)


def of(series: Sequence[Series], peer: str, case: str) -> Series | None:
    """Return the series of a server and kind of request; None when it was not measured."""
    return next((one for one in series if (one.peer, one.case) == (peer, case) and one.samples), None)


def ratio(one: Series, other: Series | None) -> float | None:
    """Return the median of the rounds' ratios of CPU time: what else a machine does hits both of a round."""
    if other is None:
        return None
    pairs = zip(one.samples, other.samples, strict=False)
    ratios = [mine.cpu_us / theirs.cpu_us for mine, theirs in pairs if theirs.cpu_us]
    return statistics.median(ratios) if ratios else None
