"""Progress of a comparison on stderr: a bar on a terminal, a line per round otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from choirbook_perf.ab.results import Slice


@contextmanager
def showing(total: int, *, quiet: bool = False) -> Iterator[Callable[[Slice], None]]:
    """Show the slices passed to the yielded function, for as long as the context lasts.

    Args:
        total: Number of slices to come.
        quiet: Show nothing.
    """
    console = Console(stderr=True, highlight=False)
    if quiet:
        yield lambda _: None
    elif console.is_terminal:
        columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            row = bar.add_task("starting", total=total)
            yield lambda each: bar.update(row, advance=1, description=line(each))
    else:
        yield lambda each: _print(console, each)


def _print(console: Console, each: Slice) -> None:
    if each.pair == 0:
        console.print(f"round {each.round + 1}  {line(each)}", soft_wrap=True)


def line(each: Slice) -> str:
    """Format a slice on one line."""
    cpu = "" if each.cpu_us is None else f"{each.cpu_us:.1f} µs/request  "
    return f"{('old', 'new')[each.side]}  {cpu}{each.rate:.0f}/s  {each.failures} failed"
