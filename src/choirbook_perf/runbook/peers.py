"""Table of a comparison with other servers, for the page. Pure."""

from __future__ import annotations

from choirbook_perf import figures
from choirbook_perf.peers import Comparison, Missing, PeerRow, rows_of
from choirbook_perf.runbook.markdown import table

HEADS = (
    "Request",
    "Server",
    "CPU µs/request",
    "to Choirbook",
    "to floor",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "req/s",
)


def shown(found: Comparison) -> str:
    """Show the servers by kind of request, the cheapest first."""
    words = (
        f"{figures.whole(found.document_bytes)} bytes, {found.connections} connections without think time, "
        f"{found.rounds} rounds of {found.seconds} s in turns; medians of the rounds."
    )
    if found.is_partial:
        words += " **The run was interrupted.**"
    told = [_missing(one) for one in found.missing]
    return "\n\n".join([words, table(HEADS, [_cells(row) for row in rows_of(found.series)], texts=2), *told])


def _missing(one: Missing) -> str:
    return f"> **Not measured:** {one.peer}{one.case and f', {one.case}'}: {one.reason}"


def _cells(row: PeerRow) -> list[str]:
    costs = (row.cpu_us, row.to_choirbook, row.to_floor)
    latencies_ms = (row.p50_ms, row.p95_ms, row.p99_ms)
    return [row.case, row.peer, *map(figures.significant, (*costs, *latencies_ms, row.requests_per_s))]
