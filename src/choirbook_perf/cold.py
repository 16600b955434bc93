"""Result of `choirbook perf cold`, and its conclusion. Pure.

It answers one question: must a library be preloaded? Only if a read from the disk is slower than the limit,
for which the mission specifies 100 ms.
"""

from __future__ import annotations

import math

import msgspec

from choirbook_perf.histogram import LatencyHistogram
from choirbook_perf.results import Environment

FORMAT = 1
LIMIT_MS = 100.0


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """Time from starting the process to the last byte of the first document."""

    transport: str
    """`http` or `stdio`."""
    preload: bool
    samples_ms: list[float]


class FirstRead(msgspec.Struct, frozen=True):
    """First read of a resource in a form."""

    uri: str
    form: str
    """`raw`, `json`, `modern` or `handshake`."""
    ms: float
    cache_result: str
    """Value of `X-Cache`, `unknown` over MCP."""
    was_in_page_cache: bool


class Steady(msgspec.Struct, frozen=True, kw_only=True):
    """Repeated reads of documents that the system has in memory."""

    cache_result: str
    """`miss` with a CACHE_TTL that expires at once, otherwise `hit`."""
    form: str
    samples_ms: list[float]


class Preloading(msgspec.Struct, frozen=True, kw_only=True):
    """Result of `serve --preload`."""

    finished_ms: float
    """Time from starting the process to the end of preloading, in milliseconds."""
    preloaded: int
    """Number of preloaded URIs, aliases included."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Conclusion of a run."""

    is_preloading_needed: bool
    is_certain: bool
    """Whether the reads were cold; if not, the disk may still be slower than the limit."""
    over_limit: int
    reads: int
    slowest_ms: float
    slowest_uri: str
    reason: str


class Cold(msgspec.Struct, frozen=True, kw_only=True):
    """One run of `choirbook perf cold`."""

    format: int = FORMAT
    kind: str = "cold"
    started: str
    """Start of the run, RFC 3339, UTC."""
    is_partial: bool = False
    environment: Environment
    resources: int
    resources_bytes: int
    page_cache_method: str
    """How the page cache was emptied, a `pagecache.Method`."""
    limit_ms: float
    starts: list[Start]
    first_reads: list[FirstRead]
    """First reads without preloading."""
    steady: list[Steady]
    preloading: Preloading | None
    preloaded_reads: list[FirstRead]
    """The same reads of a server after preloading."""
    verdict: Verdict


class ColdRow(msgspec.Struct, frozen=True):
    """One row of the printed table."""

    what: str
    reads: int
    median_ms: float
    p95_ms: float
    max_ms: float
    note: str = ""


def judge(reads: list[FirstRead], limit_ms: float, method: str) -> Verdict:
    """Decide whether preloading is needed.

    Args:
        reads: First reads of a server without preloading.
        limit_ms: Maximum duration of a cold read, in milliseconds.
        method: How the page cache was emptied.
    """
    over = [read for read in reads if read.ms > limit_ms]
    slowest = max(
        reads, key=lambda read: read.ms, default=FirstRead("", "", math.nan, "", was_in_page_cache=True)
    )
    warm = sum(read.was_in_page_cache for read in reads)
    if not reads:
        reason = "nothing was read"
    elif over:
        reason = f"{len(over)} of {len(reads)} cold reads took more than {limit_ms:g} ms"
    else:
        reason = f"all {len(reads)} cold reads took at most {limit_ms:g} ms"
    if reads and warm:
        reason += f"; {warm} came from the page cache, which could not be emptied (method: {method})"
    return Verdict(
        is_preloading_needed=bool(over),
        is_certain=bool(over) or (bool(reads) and not warm),
        over_limit=len(over),
        reads=len(reads),
        slowest_ms=slowest.ms if reads else 0.0,
        slowest_uri=slowest.uri,
        reason=reason,
    )


def rows_of(cold: Cold) -> list[ColdRow]:
    """Return the table: starts, first reads by form, steady reads, and the same with preloading."""
    rows = [
        row_of(
            f"start to first answer, {start.transport}{', --preload' if start.preload else ''}",
            start.samples_ms,
        )
        for start in cold.starts
    ]
    rows += _first_rows("first read", cold.first_reads)
    rows += _first_rows("first read, --preload", cold.preloaded_reads)
    rows += [row_of(f"steady {each.cache_result}, {each.form}", each.samples_ms) for each in cold.steady]
    return rows


def _first_rows(what: str, reads: list[FirstRead]) -> list[ColdRow]:
    rows = []
    for form in dict.fromkeys(read.form for read in reads):
        of_form = [read for read in reads if read.form == form]
        hits = sum(read.cache_result == "hit" for read in of_form)
        told = [read for read in of_form if read.cache_result != "unknown"]
        note = f"{hits} of {len(told)} hits" if told else ""
        rows.append(row_of(f"{what}, {form}", [read.ms for read in of_form], note))
    return rows


def row_of(what: str, samples_ms: list[float], note: str = "") -> ColdRow:
    """Create a row from samples."""
    histogram = LatencyHistogram()
    for sample_ms in samples_ms:
        histogram.record(sample_ms / 1000)
    figures = (histogram.percentile_ms(50), histogram.percentile_ms(95), histogram.max_ms())
    return ColdRow(what, len(samples_ms), *figures, note)


def table_of(cold: Cold) -> str:
    """Format the complete result as text."""
    partial = " (partial run)" if cold.is_partial else ""
    size = f"{cold.resources} resources, {cold.resources_bytes:,} bytes"
    out = [
        f"{size}; page cache emptied by: {cold.page_cache_method}{partial}",
        "",
        f"{'':<44}{'reads':>7}{'p50 ms':>10}{'p95 ms':>10}{'max ms':>10}",
    ]
    for row in rows_of(cold):
        figures = f"{row.reads:>7}{row.median_ms:>10.2f}{row.p95_ms:>10.2f}{row.max_ms:>10.2f}"
        out.append(f"{row.what:<44}{figures}  {row.note}".rstrip())
    ahead = cold.preloading
    if ahead is not None:
        out.append(
            f"\nserve --preload had read {ahead.preloaded} URIs {ahead.finished_ms:.0f} ms after its start."
        )
    verdict = cold.verdict
    answer = (
        "yes" if verdict.is_preloading_needed else ("no" if verdict.is_certain else "not as far as measured")
    )
    out.append(f"\nIs preloading needed? {answer}: {verdict.reason}.")
    if verdict.reads:
        out.append(f"The slowest, {verdict.slowest_ms:.2f} ms: {verdict.slowest_uri}")
    return "\n".join(out)
