"""Result of `choirbook perf ab`: one versioned JSON file with every slice. Values, and their file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from choirbook_perf.errors import BadInput
from choirbook_perf.output import to_json, write_text
from choirbook_perf.results import Environment
from choirbook_perf.stats.decisions import Finding

FORMAT = 1


class Slice(NamedTuple):
    """Load of one server for seconds; an array in the file."""

    round: int
    pair: int
    side: int
    """0 for the old server, 1 for the new one."""
    requests: int
    failures: int
    cpu_us: float | None
    """User and system time of all the server's processes, per request; None for a server by its URL."""
    rate: float
    """Successful answers per second."""
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    doubt: str = ""
    """Why its pair does not count; "" if it does."""
    lateness: str = ""
    """Why its latencies and rate do not count, such as a generator that was short of CPU; "" if they do."""


class ComparedServer(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two servers."""

    given: str
    """Kind of subject: `command`, `commit`, `checkout` or `url`."""
    name: str
    """Command, commit or URL; never a path."""
    environment: str
    """Which Python environment runs it, in words; "" if it was not started here."""
    server: str
    """Name and version, as far as the server reports them."""


class AbResult(msgspec.Struct, frozen=True, kw_only=True):
    """One run of `choirbook perf ab`."""

    format: int = FORMAT
    kind: str = "ab"
    started: str
    """Start of the run, RFC 3339, UTC."""
    is_partial: bool = False
    """Whether it was interrupted."""
    subjects: list[ComparedServer]
    """The old server, and the new one."""
    environment: Environment
    load: dict[str, Any]
    """Protocol, era, tasks, rate or connections, seconds of a slice, rounds."""
    seed: int
    slices: list[Slice]
    findings: list[Finding]
    skipped: dict[str, str]
    """Metrics without an outcome, with the reason."""


def load(path: Path) -> AbResult:
    """Load a result file.

    Raises:
        BadInput: It cannot be read, or is not a result of `choirbook perf ab`.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=AbResult)
    except OSError as error:
        raise BadInput(f"The result file {path} cannot be read: {error.strerror}.") from error
    except msgspec.MsgspecError as error:
        raise BadInput(f"{path} is not a result of 'choirbook perf ab': {error}.") from error
    if (found.format, found.kind) != (FORMAT, "ab"):
        raise BadInput(
            f"{path} is a result of 'choirbook perf {found.kind}' in format {found.format}; this version "
            f"reads those of 'ab' in format {FORMAT}."
        )
    return found


def save(comparison: AbResult, path: Path) -> None:
    """Write a result file, completely or not at all.

    Raises:
        OutputFailed: It cannot be written.
    """
    write_text(path, to_json(comparison))
