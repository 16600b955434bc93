"""Tables of profiles. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from choirbook_perf import figures
from choirbook_perf.runbook.markdown import code, table
from choirbook_perf.runbook.measured import Explained, MemoryProfile, NativeProfile, ProfiledStage

_LOAD = "load"


def stages(measured: Sequence[ProfiledStage], explained: Explained | None) -> str:
    """Show the stages of a read; then, of a request under load, Python frames and the rest."""
    rows: list[tuple[str, ...]] = [
        (one.stage, one.path, *map(figures.significant, (one.us, one.low_us, one.high_us)))
        for one in measured
    ]
    if explained is not None:
        rows += [
            _load_row("in Python frames", explained, explained.explained),
            _load_row(
                f"not in Python frames: kernel and native, {explained.residual:.1%}",
                explained,
                explained.residual,
            ),
        ]
    shown = table(("Stage", "Path", "Median, µs", "Lower quartile", "Upper quartile"), rows, texts=2)
    if explained is None or not explained.locks:
        return shown
    held = ", ".join(f"{lock.held:.1%}" for lock in explained.locks)
    return (
        f"{shown}\n\nRows of `{_LOAD}` are CPU time of the server for a request, a mean. "
        f"Python's lock was held {held} of the time."
    )


def _load_row(name: str, explained: Explained, share: float) -> tuple[str, ...]:
    us = figures.significant(explained.us(share))
    return (name, _LOAD, us, figures.MISSING, figures.MISSING)


def native(found: NativeProfile) -> str:
    """Show the components that native samples fell into, or why there are none."""
    if found.problem:
        return f"> **Not measured:** {found.problem}"
    rows = [(one.component, figures.percent(one.own)) for one in found.components]
    share = f"{found.explained:.1%} of the server's CPU time"
    sentence = f"{figures.whole(found.samples)} samples explain {share}. {found.note}".rstrip()
    return f"{sentence}\n\n{table(('Component', 'Own'), rows)}"


def memory(found: MemoryProfile) -> str:
    """Show each process's functions with the most memory at its peak."""
    rows = [
        (
            process.process,
            code(one.function),
            figures.bytes_(one.peak_bytes),
            figures.bytes_(one.allocated_bytes),
            figures.whole(one.allocations),
        )
        for process in found.processes
        for one in process.functions
    ]
    peaks = ", ".join(
        f"{process.process} {figures.bytes_(process.peak_bytes)}" for process in found.processes
    )
    shown = table(("Process", "Function", "At the peak", "In all", "Allocations"), rows, texts=2)
    return f"Peak: {peaks}.\n\n{shown}"
