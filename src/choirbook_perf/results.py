"""Result of a run: one versioned JSON file, with everything needed to judge it later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from choirbook_perf.errors import BadInput
from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.output import to_json, write_text

FORMAT = 1
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
    """(microseconds at three significant digits, number), as from `LatencyHistogram.counts`."""
    failures: int = 0


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """One second of the run."""

    second: int
    users: int
    requests: int
    failures: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of failed request."""

    name: str
    reason: str
    count: int


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the verdict."""

    metric: str
    """Such as `p95_ms`, `hit_p95_ms`, `failure_ratio`."""
    limit: float
    measured: float | None
    unit: str
    requests: int
    """Number of requests that the result is based on."""
    outcome: str
    """`pass`, `fail`, or `inconclusive`."""
    reason: str = ""


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
    target: Target
    environment: Environment
    series: list[Series]
    timeline: list[Tick]
    failures: list[Failure]
    server_before: dict[str, float]
    """Samples scraped from `/metrics` before the run, by name with labels; empty without `/metrics`."""
    server_after: dict[str, float]
    verdict: list[Row]
    flame_graph_svg: str = ""

    def histogram(self, **labels: str) -> LatencyHistogram:
        """Return the latencies of all series with the given labels, such as `cache_result="hit"`."""
        merged = LatencyHistogram()
        for series in self.series:
            if all(getattr(series, key) == value for key, value in labels.items()):
                merged.add(LatencyHistogram(series.counts))
        return merged

    def requests(self) -> int:
        """Return the number of successful requests."""
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
