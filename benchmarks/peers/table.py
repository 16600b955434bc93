"""Table of a comparison, for a terminal. Pure."""

from __future__ import annotations

from choirbook_perf.peers import Comparison, rows_of


def table_of(comparison: Comparison) -> str:
    """Format the table as text."""
    partial = ", partial" if comparison.is_partial else ""
    turns = f"{comparison.rounds} rounds of {comparison.seconds} s{partial}"
    made = f"{comparison.document_bytes:,} bytes, {comparison.connections} connections, {turns}"
    heads = ("CPU us", "x Choirbook", "x floor", "p50 ms", "p95 ms", "p99 ms", "req/s", "requests")
    lines = [made]
    case = ""
    for row in rows_of(comparison.series):
        if row.case != case:
            case = row.case
            lines += ["", f"{case:<26}" + "".join(f"{head:>10}" for head in heads)]
        figures = (row.cpu_us, 1), (row.to_choirbook, 2), (row.to_floor, 2), (row.p50_ms, 1), (row.p95_ms, 1)
        more = (row.p99_ms, 1), (row.requests_per_s, 0), (row.requests, 0)
        lines.append(f"  {row.peer:<24}" + "".join(_cell(*figure) for figure in figures + more))
    lines += [""] if comparison.missing else []
    lines += [
        f"not measured: {each.peer}{each.case and f', {each.case}'}: {each.reason}"
        for each in comparison.missing
    ]
    return "\n".join(lines)


def _cell(figure: float | None, digits: int) -> str:
    return f"{'-':>10}" if figure is None else f"{figure:>10,.{digits}f}"
