"""Table of a comparison, for a terminal. Pure."""

from __future__ import annotations

from choirbook_perf.peers import Comparison, PeerRow, rows_of

HEADS = ("CPU us", "lowest", "highest", "x Choirbook", "x floor", "MiB", "busy %", "req/s", "requests")


def table_of(comparison: Comparison) -> str:
    """Format the table as text."""
    partial = ", partial" if comparison.is_partial else ""
    turns = f"{comparison.rounds} rounds of {comparison.seconds} s{partial}"
    lines = [f"{comparison.document_bytes:,} bytes, {comparison.connections} connections, {turns}"]
    case = ""
    for row in rows_of(comparison.series):
        if row.case != case:
            case = row.case
            lines += ["", f"{case:<28}" + "".join(f"{head:>12}" for head in HEADS)]
        name = f"{row.peer} {comparison.versions.get(row.peer, '')}"
        lines.append(f"  {name:<26}" + "".join(_cells(row)))
    lines += [""] if comparison.missing else []
    lines += [
        f"not measured: {each.peer}{each.case and f', {each.case}'}: {each.reason}"
        for each in comparison.missing
    ]
    return "\n".join(lines)


def _cells(row: PeerRow) -> list[str]:
    costs = [_cell(cost, 1) for cost in (row.cpu_us, row.cpu_low_us, row.cpu_high_us)]
    ratios = [_cell(each, 2) for each in (row.to_choirbook, row.to_floor)]
    # Without saturation, the throughput would be the load generator's.
    used = [_cell(row.memory_mib, 0), _cell(row.server_busy * 100, 0), _cell(row.capacity, 0)]
    return [*costs, *ratios, *used, _cell(row.requests, 0)]


def _cell(figure: float | None, digits: int) -> str:
    return f"{'-':>12}" if figure is None else f"{figure:>12,.{digits}f}"
