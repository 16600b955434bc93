"""Table of a comparison with other servers, for the page. Pure."""

from __future__ import annotations

from choirbook_perf import figures
from choirbook_perf.peers import SATURATED, Comparison, Missing, PeerRow, rows_of
from choirbook_perf.runbook.markdown import table

HEADS = (
    "Request",
    "Server",
    "CPU µs/request",
    "lowest",
    "highest",
    "to Choirbook",
    "to floor",
    "memory MiB",
    "busy",
    "req/s",
)

NOT_SATURATED = (
    "A server that used less than {least} of its core has no throughput here: it was the load generator's."
)


def shown(found: Comparison) -> str:
    """Show the servers by kind of request, the cheapest first."""
    words = (
        f"{figures.whole(found.document_bytes)} bytes, {found.connections} connections without think time, "
        f"{found.rounds} rounds of {found.seconds} s in turns; medians, and the lowest and highest round."
    )
    if found.is_partial:
        words += " **The run was interrupted.**"
    rows = rows_of(found.series)
    if any(row.capacity is None for row in rows):
        words += " " + NOT_SATURATED.format(least=figures.percent(SATURATED))
    told = [_missing(one) for one in found.missing]
    cells = [_cells(row, found.versions.get(row.peer, "")) for row in rows]
    return "\n\n".join([words, table(HEADS, cells, texts=2), *told])


def _missing(one: Missing) -> str:
    return f"> **Not measured:** {one.peer}{one.case and f', {one.case}'}: {one.reason}"


def _cells(row: PeerRow, version: str) -> list[str]:
    costs = (row.cpu_us, row.cpu_low_us, row.cpu_high_us, row.to_choirbook, row.to_floor, row.memory_mib)
    busy = figures.percent(round(row.server_busy, 2))
    return [
        row.case,
        f"{row.peer} {version}".strip(),
        *map(figures.significant, costs),
        busy,
        figures.significant(row.capacity),
    ]
