"""Percentiles and counts of `choirbook perf test`, beside the independent client's and the server's log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from tests.perf.truth import log, mcp
from tests.perf.truth.modes import ANSWERED
from tests.perf.truth.runs import Observed, observe

TOLERANCE = 0.05
TOLERANCE_MS = 1.0
"""A percentile may differ from the independent client's by the larger of both."""

MAX_PROBES = 20
"""Number of requests with which the product may examine the server before the load; no fault comes before."""

MCP = ("--protocol", "mcp")

ATTEMPTS = 3
"""Runs until one is valid and right.

A busy machine can starve any generator, which then says so, and a disturbance can hit one of two clients. A
generator that is wrong by itself is wrong each time.
"""


_LEAD_S = 0.1
"""Between the start of a run, in milliseconds, and a probe before it; the floor is measured in between."""


class Case(NamedTuple):
    """A load on a mode of the truth server."""

    name: str
    mode: tuple[str, ...]
    """Mode and its options."""
    load: tuple[str, ...]
    """Options of `choirbook perf test`."""
    counts: str = "counts"
    """Histogram of the result that is compared."""
    rate: float = 100.0
    """Requests per second of the independent client."""

    @property
    def document(self) -> str:
        """Document that is read: a path, or a URI over MCP."""
        return mcp.URI if "mcp" in self.load else log.PRODUCT


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles that were reported, and true ones."""

    name: str
    load: str
    histogram: str
    requests: int
    samples: int
    reported_ms: dict[str, float]
    true_ms: dict[str, float]
    exit_code: int
    is_valid: bool
    """Whether the generator calls its run valid."""
    attempt: int
    """Number of the run, from 1."""

    def is_within(self, tolerance: float = TOLERANCE) -> bool:
        """Return whether every percentile is within the tolerance."""
        return all(
            abs(self.reported_ms[name] - true) <= max(tolerance * true, TOLERANCE_MS)
            for name, true in self.true_ms.items()
        )


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Failures that were reported, and those that the server logged."""

    name: str
    load: str
    requests: int
    requests_seen: int
    """Requests that reached the server; the few of the probe included."""
    failed: int
    truly_failed: int
    exit_code: int

    def is_exact(self) -> bool:
        """Return whether every failure was counted, and every request was sent once."""
        return self.failed == self.truly_failed and 0 <= self.requests_seen - self.requests <= MAX_PROBES


def open_load(run_time_s: int, rate: int = 200) -> tuple[str, ...]:
    """Return the options of an open load."""
    return ("--rate", str(rate), "--warm-up", "1", "--run-time", f"{run_time_s}s")


def closed_load(run_time_s: int, users: int = 20, think_time: str = "0.05-0.15") -> tuple[str, ...]:
    """Return the options of a closed load."""
    shape = ("--users", str(users), "--spawn-rate", "100", "--think-time", think_time)
    return (*shape, "--warm-up", "1", "--run-time", f"{run_time_s}s")


def latency_cases(run_time_s: int) -> Sequence[Case]:
    """Return the cases of known latencies.

    Args:
        run_time_s: Length of each load; a multiple of 10, so that it has whole periods of the stall.
    """
    constant, closed = open_load(run_time_s), closed_load(run_time_s)
    return (
        Case("fixed, 20 ms", ("fixed", "ms=20"), constant),
        Case("fixed, 20 ms, Poisson arrivals", ("fixed", "ms=20"), (*constant, "--arrivals", "poisson")),
        Case("fixed, 20 ms, users", ("fixed", "ms=20"), closed),
        Case("bimodal, 5 and 60 ms", ("bimodal",), constant),
        Case("bimodal, 5 and 60 ms, users", ("bimodal",), closed),
        Case("trickle, 4 pieces in 60 ms", ("trickle",), constant),
        Case("stall of 2 s in every 10 s", ("stall",), constant),
        Case("fixed, 20 ms, MCP", ("fixed", "ms=20"), (*constant, *MCP)),
    )


def failure_cases(run_time_s: int) -> Sequence[Case]:
    """Return the cases of faults that can be counted."""
    constant, closed = open_load(run_time_s), closed_load(run_time_s)
    from_s = f"from_s={run_time_s * 0.6:g}"
    every = [
        Case("hangs", ("hang", from_s), constant),
        Case("hangs, users", ("hang", from_s), closed),
        Case("ends itself by SIGKILL", ("kill", from_s), constant),
        Case("drops every second connection", ("drop",), constant),
        Case("drops every second connection, users", ("drop",), closed),
        Case("drops every tenth request of kept connections", ("drop-kept",), constant),
        Case("resets every tenth response in its body", ("cut",), constant),
        Case("1 % wrong bodies of the same length", ("wrong",), constant),
        Case("1 % wrong bodies of another length", ("longer",), constant),
    ]
    statuses = (500, 401, 302)
    every += [Case(f"status {status}", ("error", f"status={status}"), constant) for status in statuses]
    every += [
        Case("seven faults in turns, users", ("mixed",), closed),
        Case("seven faults in turns, MCP", ("mixed",), (*constant, *MCP)),
    ]
    return every


def accuracy(case: Case) -> tuple[Accuracy, Observed]:
    """Run a case, up to `ATTEMPTS` times, until the run is valid and its percentiles are right."""
    for attempt in range(1, ATTEMPTS + 1):
        seen = observe(*case.mode, load=case.load, rate=case.rate, document=case.document)
        made = _compared(case, seen, attempt)
        if made.is_valid and made.is_within():
            break
    return made, seen


def _compared(case: Case, seen: Observed, attempt: int) -> Accuracy:
    return Accuracy(
        name=case.name,
        load=" ".join(case.load),
        histogram=case.counts,
        requests=seen.report.requests(),
        samples=len(seen.samples),
        reported_ms=_rounded(seen.reported_ms(case.counts)),
        true_ms=_rounded(seen.truth_ms()),
        exit_code=seen.report.exit_code,
        is_valid=bool(seen.report.generator.get("is_valid")),
        attempt=attempt,
    )


def counts(case: Case) -> tuple[Counts, Observed]:
    """Run a case of faults, and compare its counts with the log."""
    seen = observe(*case.mode, load=case.load, rate=5, patience_s=0.5, document=case.document)
    requests = seen.report.requests()
    failed = len(seen.records) - seen.did(ANSWERED)
    if case.mode[0] == "kill":
        # What comes after the end of the server is in no log: all that was not answered.
        failed = requests - (seen.did(ANSWERED) - probes(seen))
    made = Counts(
        name=case.name,
        load=" ".join(case.load),
        requests=requests,
        requests_seen=len(seen.records) if case.mode[0] != "kill" else requests + probes(seen),
        failed=seen.report.failed(),
        truly_failed=failed,
        exit_code=seen.report.exit_code,
    )
    return made, seen


def probes(seen: Observed) -> int:
    """Return how many requests examined the server before the load began."""
    began_s = seen.report.began_s()
    return sum(record.arrived_s < began_s - _LEAD_S for record in seen.records)


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in figures.items()}
