"""Result of a run: one versioned JSON file, with everything needed to judge it later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from choirbook_perf.errors import BadInput
from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.output import to_json, write_text

RESULT_NAME = "result.json"
"""Name of the file in the directory of a run."""

FORMAT = 2
"""Version of the file format, raised when a field changes its meaning; other versions are rejected."""


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Environment on which results depend. Contains no path and no name of the machine."""

    machine: str
    """A short digest of CPU, cores and memory: equal for runs that may be compared."""
    cpu: str
    cores: int
    memory_bytes: int
    kernel: str
    python: str
    versions: dict[str, str]
    """Versions of the packages that matter, such as granian and locust."""
    commit: str
    """Commit of the checkout, "" outside of one; ends in "+" if there were uncommitted changes."""
    load_average: float
    """Load average of the last minute, when the run began."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Server that was loaded."""

    url: str
    protocol: str
    """`http` or `mcp`."""
    era: str
    """`modern`, `handshake`, or "" for plain HTTP."""
    server: str
    """Name and version, as far as the server reports them."""
    started_here: bool
    """Whether the run started the server itself, and stopped it."""
    settings: dict[str, str]
    """Settings that the server was started with, such as `workers`."""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Latencies of one kind of request."""

    resource_type: str
    cache_result: str
    """`hit`, `miss`, or `unknown` if the server does not report it."""
    project: str
    name: str
    """Resource, as in the scenario."""
    counts: list[tuple[int, int]]
    """Response times of all requests, failed ones too: (microseconds at three significant digits, number).

    Measured from the time at which a request should have been sent. A request still open at the end counts
    with the time that it had waited: a lower bound.
    """
    service_counts: list[tuple[int, int]] = []
    """The same requests, measured from when they were sent; empty if the generator knows only one time."""
    corrected_counts: list[tuple[int, int]] = []
    """In the closed model: `counts`, and the requests that users were held back from while they waited."""
    failures: int = 0
    """How many of the requests failed."""

    @property
    def judged_counts(self) -> list[tuple[int, int]]:
        """Response times that a threshold is held against: corrected ones in the closed model."""
        return self.corrected_counts or self.counts


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """One second of the run."""

    second: int
    users: int
    requests: int
    """Successful answers in this second."""
    failures: int
    p50_ms: float | None
    """Percentiles are of all requests that ended in this second, failed ones too."""
    p95_ms: float | None
    p99_ms: float | None
    sent: int = 0
    """Requests sent in this second."""
    in_flight: int = 0
    """Requests under way at the end of this second."""
    unsent: int = 0
    """Requests that were due and could not be sent, as --max-in-flight were under way."""


class BySecond(msgspec.Struct, frozen=True, kw_only=True):
    """Response times of one kind of request, second by second: what intervals are drawn from."""

    resource_type: str
    cache_result: str
    name: str
    seconds: list[tuple[int, list[tuple[int, int]]]]
    """(second as in the timeline, counts) pairs. Their sum is that of the `judged_counts` of all projects."""


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """One phase of the run. Only those of kind `measured` are in the series."""

    name: str
    """`ramp`, `warm-up`, `measured`, or the stage, such as `stage 1`."""
    kind: str
    """`ramp`, `warm-up` or `measured`."""
    start_s: float
    """Since the start of the run."""
    duration_s: float
    rate: float | None = None
    """Requests per second that were asked for; None in the closed model."""
    requests: int
    """All requests whose time to be sent was in this phase, failed ones too."""
    failures: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class RateStage(msgspec.Struct, frozen=True):
    """A stretch of time with one rate."""

    duration_s: float
    rate: float


class Floor(msgspec.Struct, frozen=True, kw_only=True):
    """Latencies that the generator measures at a server that does nothing: values near them are its own."""

    rate: float
    """Requests per second of the measurement."""
    requests: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """One second of the generator's own life."""

    second: int
    """Since the start of the run."""
    cpu: float
    """Share of one core that it used."""
    wait_ms: float | None = None
    """Time for which it was ready to run and had no core; None where the kernel does not tell."""
    lag_ms: float
    """Longest delay of a timer."""
    sent: int = 0
    late: int = 0
    """Requests that the generator sent more than a millisecond after they were due."""
    late_ms: float = 0.0
    """Longest such delay."""
    gc_ms: float = 0.0
    """Longest pause for garbage collection."""
    psi: float | None = None
    """Share of the time in which some process of the machine waited for a core (PSI)."""
    steal: float | None = None
    """Share of the machine's processor time that the hypervisor gave to others."""
    idle: float | None = None
    """Share of the time for which the cores that it may use had nothing to do."""


class Generator(msgspec.Struct, frozen=True, kw_only=True):
    """The load generator: what it was asked for, and whether it can be trusted."""

    name: str = "locust"
    """`choirbook` or `locust`."""
    model: str = "closed"
    """`open`: requests come at a rate. `closed`: each user waits for its answer before it goes on."""
    arrivals: str = ""
    """`constant` or `poisson` in the open model."""
    rate: float | None = None
    users: int | None = None
    stages: list[RateStage] = []
    max_in_flight: int | None = None
    is_checked: bool = False
    """Whether it observed itself; Locust does not, beyond a warning about its CPU."""
    is_valid: bool = True
    """Whether it was fast enough: otherwise it may have caused what it measured, and no row is decided."""
    reasons: list[str] = []
    """Why it is not valid, in sentences."""
    warnings: list[str] = []
    """Facts that a reader of the figures should know, in sentences."""
    floor: Floor | None = None
    connections_opened: int = 0
    open_at_end: int = 0
    """Requests without an answer at the end; they count as failures."""
    unsent: int = 0
    """Requests that were due and could not be sent, as --max-in-flight were under way."""
    held_back: int = 0
    """Requests that the users of the closed model would have made, had they not waited for answers."""
    health: list[Health] = []


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of failed request."""

    name: str
    reason: str
    count: int
    sample: str = ""
    """Start of one such answer."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the verdict."""

    metric: str
    """Left side of the threshold, such as `p95`, `hit.p95{type:sdlc}`, `failures.rate`."""
    operator: str = "<="
    """The measured value passes if it is in this relation to the limit."""
    limit: float
    measured: float | None
    unit: str
    requests: int
    """Number of requests that the result is based on."""
    outcome: str
    """`pass`, `fail`, `inconclusive`, or `not measured`."""
    reason: str = ""
    low: float | None = None
    """Lower bound of the measured value; None where it has no bound, or the value is exact."""
    high: float | None = None
    confidence: float = 95.0
    """Confidence of each bound, in per cent."""
    is_required: bool = True
    """Whether the run is inconclusive if this was not measured."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One run of `choirbook perf test`."""

    format: int = FORMAT
    kind: str = "test"
    started: str
    """Start of the run, RFC 3339, UTC."""
    duration_s: float
    is_partial: bool = False
    """Whether the run was interrupted."""
    label: str = ""
    """The user's name for the run, such as `baseline`."""
    scenario: dict[str, Any]
    """Scenario as it was run: users, spawn rate, think time, tasks with weights."""
    generator: Generator = Generator()
    phases: list[Phase] = []
    """Phases in order; empty for Locust, whose series contain its ramp."""
    first_byte_counts: list[tuple[int, int]] = []
    """Times from sending a request to the first byte of its answer; empty if they are not known."""
    target: Target
    environment: Environment
    series: list[Series]
    timeline: list[Tick]
    by_second: list[BySecond] = []
    """Empty if the generator kept none; intervals then take requests for independent."""
    failures: list[Failure]
    server_before: dict[str, float]
    """Samples scraped from `/metrics` before the run, by name with labels; empty without `/metrics`."""
    server_after: dict[str, float]
    verdict: list[Row]
    flame_graph_svg: str = ""

    def histogram(self, of: str = "counts", **labels: str) -> LatencyHistogram:
        """Return the latencies of all series with the given labels, such as `cache_result="hit"`.

        Args:
            of: `counts`, `service_counts`, `corrected_counts` or `judged_counts`.
            labels: Values of the labels.
        """
        merged = LatencyHistogram()
        for series in self.series:
            if all(getattr(series, key) == value for key, value in labels.items()):
                merged.add(LatencyHistogram(getattr(series, of)))
        return merged

    def requests(self) -> int:
        """Return the number of successful requests."""
        return self.attempts() - self.failed()

    def attempts(self) -> int:
        """Return the number of all requests, failed ones too."""
        return len(self.histogram())

    def failed(self) -> int:
        """Return the number of failed requests."""
        return sum(series.failures for series in self.series)


def load(path: Path) -> Result:
    """Load a result file.

    Raises:
        BadInput: The file cannot be read, is not a result, or has another format.
    """
    try:
        data = path.read_bytes()
        head = msgspec.json.decode(data, type=dict[str, Any])
    except OSError as error:
        raise BadInput(f"The result file {path} cannot be read: {error.strerror}.") from error
    except msgspec.MsgspecError as error:
        raise BadInput(f"{path} is not a result file: {error}.") from error
    if head.get("format") != FORMAT:
        raise BadInput(
            f"{path} has format {head.get('format')!r}; this version reads format {FORMAT}. Run the test "
            "again, or use the version of choirbook that wrote it."
        )
    try:
        return msgspec.json.decode(data, type=Result)
    except msgspec.MsgspecError as error:
        raise BadInput(f"{path} is not a complete result file: {error}.") from error


def save(result: Result, path: Path) -> None:
    """Write a result file, completely or not at all.

    Raises:
        OutputFailed: It cannot be written.
    """
    write_text(path, to_json(result))
