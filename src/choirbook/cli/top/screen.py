"""Terminal layout of the figures. Makes renderables, and prints nothing."""

from __future__ import annotations

from rich.console import ConsoleRenderable, Group
from rich.table import Table
from rich.text import Text

from choirbook.cli.top.figures import Figures, Latencies
from choirbook.observe.health import HealthState, Severity
from choirbook.text.escapes import shown

_NOTHING = "-"
_KIB = 1024.0


def screen(url: str, figures: Figures, trouble: str | None = None) -> Group:
    """Lay out the figures.

    Args:
        url: Address of the server.
        figures: Last known figures.
        trouble: Reason why they are not current, if any.
    """
    head = Text.assemble((url, "bold"), f"   over {figures.over_s:.0f} s")
    parts: list[ConsoleRenderable] = [
        head,
        Text(),
        _summary(figures),
        Text(),
        _latencies(figures.latencies),
        Text(),
    ]
    if trouble is not None:
        parts.append(Text(f"! {shown(trouble)}", style="bold red"))
    parts += map(_state, figures.states)
    if trouble is None and not figures.states:
        parts.append(Text("No problems found.", style="green"))
    return Group(*parts)


def _state(state: HealthState) -> Text:
    style = "bold red" if state.level is Severity.BAD else "bold yellow"
    return Text.assemble((f"! {state.title}. ", style), (state.remedy, "dim"))


def _summary(figures: Figures) -> Table:
    table = Table.grid(padding=(0, 3))
    hit_rate = _NOTHING if figures.hit_rate is None else f"{figures.hit_rate:.1%}"
    workers = _NOTHING if figures.workers is None else str(figures.workers)
    cells = (
        ("reads/s", f"{figures.reads_per_s:,.1f}"),
        ("requests/s", f"{figures.requests_per_s:,.1f}"),
        ("hit rate", hit_rate),
        ("failed/s", f"{figures.failed_reads_per_s:,.1f}"),
        ("reads", f"{figures.reads:,}"),
        ("cached", f"{figures.cache_resources:,} of {figures.resources:,}"),
        ("cache", size(figures.cache_bytes)),
        ("evictions/s", f"{figures.evictions_per_s:,.1f}"),
        ("streams", f"{figures.streams:,}"),
        ("sessions", f"{figures.sessions:,}"),
        ("workers", workers),
    )
    for start in range(0, len(cells), 4):
        row: list[Text] = []
        for name, value in cells[start : start + 4]:
            row += [Text(name, style="dim"), Text(value, style="bold")]
        table.add_row(*row)
    return table


def _latencies(found: list[Latencies]) -> Table:
    table = Table("type", "result", box=None, pad_edge=False)
    for name in ("reads/s", "p50 ms", "p95 ms", "p99 ms"):
        table.add_column(name, justify="right", min_width=9)
    for each in found:
        quantiles = (_ms(each.p50_ms), _ms(each.p95_ms), _ms(each.p99_ms))
        names = Text(each.resource_type), Text(each.cache_result)
        table.add_row(*names, f"{each.reads_per_s:,.1f}", *quantiles)
    if not found:
        table.add_row(Text("no reads"))
    return table


def _ms(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.3f}"


def size(size_bytes: float) -> str:
    """Format a number of bytes."""
    for unit in ("B", "KiB", "MiB"):
        if size_bytes < _KIB:
            return f"{size_bytes:.0f} B" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= _KIB
    return f"{size_bytes:.1f} GiB"
