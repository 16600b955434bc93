"""Result of a comparison of servers that took turns (`scripts/peers`), with its arithmetic. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

FORMAT = 2
REFERENCE, FLOOR = "choirbook", "floor"

SATURATED = 0.95
"""Fraction of a core from which on a server counts as saturated: its throughput is then its own, not the load
generator's. The rest is the kernel's clock tick and the start of a turn."""


class Sample(NamedTuple):
    """One round of one server; an array in the file."""

    cpu_us: float
    """User and system time of all the server's processes, per request."""
    requests_per_s: float
    p50_ms: float
    """Latencies of a closed loop at saturation. By Little's law their mean is the number of connections
    divided by the throughput: they say nothing else about the server, and no table shows them."""
    p95_ms: float
    p99_ms: float
    requests: int
    generator_us: float | None = None
    """CPU time of the load generator per request; None in files of format 1."""
    memory_mib: float | None = None
    """Memory of all the server's processes at the end of the turn (PSS); None in files of format 1."""

    @property
    def server_busy(self) -> float:
        """Fraction of its core that the server used."""
        return self.cpu_us * self.requests_per_s / 1e6

    @property
    def generator_busy(self) -> float | None:
        """Fraction of its core that the load generator used."""
        return None if self.generator_us is None else self.generator_us * self.requests_per_s / 1e6


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
    versions: dict[str, str] = {}
    """Version of each server by its name; empty in files of format 1."""


class PeerRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a table."""

    case: str
    peer: str
    cpu_us: float
    """Median of the rounds, per request."""
    cpu_low_us: float
    cpu_high_us: float
    """Lowest and highest of the rounds."""
    to_choirbook: float | None
    """Median of the ratios of CPU per request, by round: above 1 costs more than Choirbook."""
    to_floor: float | None
    memory_mib: float | None
    server_busy: float
    """Fraction of its core."""
    generator_busy: float | None
    requests_per_s: float
    requests: int
    """Number of requests of all rounds together."""

    @property
    def capacity(self) -> float | None:
        """Requests per second of one core; None if the server was not saturated, so that nobody knows."""
        return self.requests_per_s if self.server_busy >= SATURATED else None


def rows_of(series: Sequence[PeerSeries]) -> list[PeerRow]:
    """Return the rows of the table, the cheapest server of each kind of request first."""
    rows = [_row(each, series) for each in series if each.samples]
    order = {case: position for position, case in enumerate(dict.fromkeys(each.case for each in series))}
    return sorted(rows, key=lambda row: (order[row.case], row.cpu_us))


def _row(one: PeerSeries, all_: Sequence[PeerSeries]) -> PeerRow:
    costs_us = [sample.cpu_us for sample in one.samples]
    return PeerRow(
        case=one.case,
        peer=one.peer,
        cpu_us=statistics.median(costs_us),
        cpu_low_us=min(costs_us),
        cpu_high_us=max(costs_us),
        to_choirbook=ratio(one, _beside(one, REFERENCE, all_)),
        to_floor=ratio(one, _beside(one, FLOOR, all_)),
        memory_mib=_median(sample.memory_mib for sample in one.samples),
        server_busy=statistics.median(sample.server_busy for sample in one.samples),
        generator_busy=_median(sample.generator_busy for sample in one.samples),
        requests_per_s=statistics.median(sample.requests_per_s for sample in one.samples),
        requests=sum(sample.requests for sample in one.samples),
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


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
