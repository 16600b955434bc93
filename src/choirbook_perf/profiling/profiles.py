"""Result of `choirbook perf profile`, and its printed tables. Pure."""

from __future__ import annotations

import msgspec

from choirbook_perf.profiling.stacks import FunctionShare
from choirbook_perf.results import Environment

FORMAT = 1
SLOWEST = 10


class Stage(msgspec.Struct, frozen=True):
    """One stage of a read, from `choirbook stages --json`."""

    stage: str
    path: str
    """`hit`, `miss` or `whole`."""
    us: float
    low_us: float
    high_us: float
    measures: str


class Counted(msgspec.Struct, frozen=True):
    """One function, from `choirbook stages --calls N --json`."""

    function: str
    calls: int
    calls_per_request: float
    own_us: float
    cumulative_us: float


class CountedDrive(msgspec.Struct, frozen=True):
    """Functions of one kind of request."""

    request: str
    requests: int
    functions: list[Counted]


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """Result of py-spy."""

    duration_s: float
    rate_hz: int
    all_threads: bool
    """Whether threads without the interpreter's lock were sampled too: native ones, and some that wait."""
    samples: int
    load: str
    """Load that kept the server busy, "" if the run generated none."""
    requests: int
    """Number of requests answered during the sampling."""
    slowest: list[FunctionShare]


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One run of `choirbook perf profile`."""

    format: int = FORMAT
    kind: str = "profile"
    started: str
    """Start of the run, RFC 3339, UTC."""
    environment: Environment
    sampling: Sampling | None
    stages: list[Stage]
    document_bytes: int
    """Size of the document that the stages were measured with."""
    calls: list[CountedDrive]


def tables_of(profile: Profile) -> str:
    """Format all tables as text."""
    tables = []
    if profile.sampling is not None:
        tables.append(_sampling_table(profile.sampling))
    tables += [_calls_table(drive) for drive in profile.calls]
    if profile.stages:
        tables.append(_stage_table(profile.stages, profile.document_bytes))
    return "\n\n".join(tables)


def _sampling_table(sampling: Sampling) -> str:
    under = f" under {sampling.load}, {sampling.requests:,} requests" if sampling.load else ""
    rows = [f"{sampling.samples:,} samples in {sampling.duration_s:g} s{under}", ""]
    rows.append(f"{'own':>7}{'total':>10}  the {len(sampling.slowest)} slowest functions")
    rows += [f"{each.own:>7.1%}{each.cumulative:>10.1%}  {each.function}" for each in sampling.slowest]
    return "\n".join(rows)


def _calls_table(drive: CountedDrive) -> str:
    rows = [f"{drive.request}: calls per request, counted over {drive.requests:,}", ""]
    rows.append(f"{'calls':>7}{'own us':>9}{'total us':>10}  function (counting inflates the times)")
    rows += [
        f"{each.calls_per_request:>7.2f}{each.own_us:>9.2f}{each.cumulative_us:>10.2f}  {each.function}"
        for each in drive.functions[:SLOWEST]
    ]
    return "\n".join(rows)


def _stage_table(stages: list[Stage], document_bytes: int) -> str:
    rows = [f"Stages of a read of {document_bytes:,} bytes", ""]
    rows.append(f"{'':<32}{'us':>9}{'quartiles':>20}  measured")
    for stage in stages:
        quartiles = f"{stage.low_us:.2f}-{stage.high_us:.2f}"
        rows.append(f"{stage.path + ': ' + stage.stage:<32}{stage.us:>9.2f}{quartiles:>20}  {stage.measures}")
    return "\n".join(rows)
