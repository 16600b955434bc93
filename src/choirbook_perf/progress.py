"""Progress of a run on stderr: a line that is rewritten on a terminal, plain lines otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from choirbook_perf.recorder import Progress

_LINES_EVERY_S = 10


@contextmanager
def showing(run_time_s: float, *, quiet: bool = False) -> Iterator[Callable[[Progress], None]]:
    """Show the progress passed to the yielded function, for as long as the context lasts.

    Args:
        run_time_s: Planned duration of the run, in seconds.
        quiet: Show nothing.
    """
    console = Console(stderr=True, highlight=False)
    if quiet:
        yield lambda _: None
    elif console.is_terminal:
        with _bar(console) as bar:
            row = bar.add_task("starting", total=run_time_s)
            yield lambda progress: bar.update(row, completed=progress.second, description=line(progress))
    else:
        yield lambda progress: _print(console, progress)


def _bar(console: Console) -> Bar:
    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    return Bar(*columns, console=console, transient=True)


def _print(console: Console, progress: Progress) -> None:
    if progress.second and progress.second % _LINES_EVERY_S == 0:
        console.print(f"{progress.second} s  {line(progress)}", soft_wrap=True)


def line(progress: Progress) -> str:
    """Format the state of a run on one line."""
    rate = progress.requests / progress.second if progress.second else 0.0
    figures = (("p50", progress.p50_ms), ("p95", progress.p95_ms), ("p99", progress.p99_ms))
    latencies = "  ".join(f"{name} {_ms(value)}" for name, value in figures)
    users = f"{progress.users} users  " if progress.users else ""
    return f"{users}{progress.requests} requests ({rate:.0f}/s)  {progress.failures} failed  {latencies}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g} ms"
