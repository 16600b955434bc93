"""The result of a run: one versioned JSON file, with all that a later reader needs to judge it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from choirbook_perf.errors import BadInput
from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.output import to_json, write_text

FORMAT = 1
"""Raised when a field changes its meaning; a file of another format is refused."""


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """What a figure depends on. Holds no path and no name of the machine."""

    machine: str
    """A short digest of CPU, cores and memory: equal for runs that may be compared."""
    cpu: str
    cores: int
    memory_bytes: int
    kernel: str
    python: str
    versions: dict[str, str]
    """Of the packages that matter, such as granian and locust."""
    commit: str
    """Of the checkout, "" outside of one; ends in "+" when there were uncommitted changes."""
    load_average: float
    """Over the last minute, when the run began."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What was loaded."""

    url: str
    protocol: str
    """`http` or `mcp`."""
    era: str
    """`modern`, `handshake`, or "" for plain HTTP."""
    server: str
    """Name and version, as far as the server told."""
    started_here: bool
    """Whether the run started the server itself, and stopped it."""
    settings: dict[str, str]
    """What the server was started with, such as `workers`."""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """The latencies of one kind of request."""

    resource_type: str
    cache_result: str
    """`hit`, `miss`, or `unknown` where the server does not say."""
    project: str
    name: str
    """The resource, as in the scenario."""
    counts: list[tuple[int, int]]
    """(microseconds at three significant digits, how many), as `LatencyHistogram.counts` gives them."""
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
    """How many stand behind the figure."""
    outcome: str
    """`pass`, `fail`, or `inconclusive`."""
    reason: str = ""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One run of `choirbook perf test`."""

    format: int = FORMAT
    kind: str = "test"
    started: str
    """RFC 3339, UTC."""
    duration_s: float
    is_partial: bool = False
    """Whether the run was interrupted."""
    label: str = ""
    """What the user calls the run, such as `baseline`."""
    scenario: dict[str, Any]
    """The scenario as it was run: users, spawn rate, think time, tasks with weights."""
    target: Target
    environment: Environment
    series: list[Series]
    timeline: list[Tick]
    failures: list[Failure]
    server_before: dict[str, float]
    """Samples scraped from `/metrics` before the run, by name with labels; empty where there is none."""
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
        """Return how many requests were answered well."""
        return len(self.histogram())

    def failed(self) -> int:
        """Return how many were not."""
        return sum(series.failures for series in self.series)


def load(path: Path) -> Result:
    """Read a result file.

    Raises:
        BadInput: The file cannot be read, is no result, or is of another format.
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
    """Write a result file, whole or not at all.

    Raises:
        OutputFailed: It cannot be written.
    """
    write_text(path, to_json(result))
