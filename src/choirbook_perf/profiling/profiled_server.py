"""Profiled servers: a running one, or a Choirbook of the run's own, with the load that keeps it busy."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from choirbook_perf import choirbook_server
from choirbook_perf.closedloop import Count, loading
from choirbook_perf.profiling import cpu
from choirbook_perf.profiling.load import ProfilingLoad, load_of


class Options(NamedTuple):
    """Options of a profile."""

    pid: int | None
    """Process id of a running server; None starts a Choirbook."""
    url: str | None
    """URL to load; None with a `pid` generates no load."""
    library: Path | None
    protocol: str
    """`http`, `mcp`, or `all` for both, MCP in both eras."""
    duration_s: int
    rate_hz: int
    connections: int
    all_threads: bool
    native: bool
    """Whether to sample the kernel and native code too."""
    memory: bool
    """Whether to record allocations too."""
    out: Path


class ProfiledServer(NamedTuple):
    """A running server, and its load."""

    pid: int
    name: str
    load: ProfilingLoad | None
    connections: int
    words: str
    """Description of the load, "" without one."""

    @contextmanager
    def loaded(self) -> Iterator[Work]:
        """Keep the server busy, and count its requests and CPU time."""
        work = Work()
        if self.load is None:
            yield work
            return
        before = cpu.snapshot(self.pid)
        with loading(self.load.requests, self.connections) as counts:
            yield work
            spent = cpu.between(before, cpu.snapshot(self.pid))
        work.finish(counts[0], spent)


class Work:
    """Requests and CPU time of a load, once it has ended."""

    def __init__(self) -> None:
        self.requests = 0
        self.cpu_us_per_request: float | None = None

    def finish(self, count: Count, spent: cpu.CpuTime) -> None:
        """Note the figures."""
        self.requests = count.answered
        self.cpu_us_per_request = spent.total_s / count.answered * 1e6


@contextmanager
def subject_of(options: Options) -> Iterator[ProfiledServer]:
    """Yield the server to profile; a Choirbook of the run's own is ended with the context."""
    if options.pid is None:
        with own_server(options) as server, loadable(options, server.pid, server.url) as subject:
            yield subject
    elif options.url is None:
        name = "choirbook" if _runs_choirbook(options.pid) else ""
        yield ProfiledServer(options.pid, name, None, 0, "")
    else:
        with loadable(options, options.pid, options.url) as subject:
            yield subject


@contextmanager
def own_server(options: Options, under: Sequence[str] = ()) -> Iterator[choirbook_server.ChoirbookServer]:
    """Run a Choirbook for as long as the context lasts.

    Args:
        options: Names its library.
        under: Arguments of Python that run it below another module.
    """
    with (
        tempfile.TemporaryDirectory(prefix="choirbook-profile-") as scratch,
        choirbook_server.running(
            Path(scratch) / "server.log", [], {}, options.library, under=under
        ) as server,
    ):
        yield server


@contextmanager
def loadable(options: Options, pid: int, url: str) -> Iterator[ProfiledServer]:
    """Yield a server that answers at a URL, and end the sessions of its load."""
    with load_of(url, options.protocol) as load:
        words = f"{options.connections} closed-loop connections, protocol {options.protocol}"
        yield ProfiledServer(pid, load.server, load, options.connections, words)


def _runs_choirbook(pid: int) -> bool:
    """Return whether a process runs Choirbook's command; without a URL it cannot be asked for its name."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
    except OSError:
        return False
    is_module = any(pair == ("-m", "choirbook") for pair in pairwise(words))
    return is_module or "choirbook" in [Path(word).name for word in words[:2]]
