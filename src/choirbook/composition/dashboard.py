"""Dashboard."""

from __future__ import annotations

from pathlib import Path
from time import time

from choirbook.dashboard.board import Board
from choirbook.dashboard.figures import Sample, sample_of
from choirbook.dashboard.live import Live
from choirbook.dashboard.readership import Readership
from choirbook.dashboard.routes import About, Dashboard
from choirbook.dashboard.slowest import Slowest
from choirbook.dashboard.worker import Worker
from choirbook.http.search import SearchRoute
from choirbook.library.library import Library
from choirbook.mcp.streams import Streams
from choirbook.observe.cells import Cells
from choirbook.observe.exposition import series_totals
from choirbook.observe.metrics import BUCKETS_S, DASHBOARD_RESPONSES
from choirbook.observe.observer import Observer
from choirbook.observe.processes import worker_counts
from choirbook.runtime.threads import Threads
from choirbook.search.service import Search
from choirbook.settings import Settings
from choirbook.usage.ledger import UsageLedger


def make_dashboard(
    settings: Settings,
    version: str,
    library: Library,
    streams: Streams,
    search: Search,
    usage: UsageLedger,
    threads: Threads,
    cells: Cells,
    observer: Observer,
    shared: Path | None,
) -> Dashboard | None:
    """Create the dashboard; None if it is disabled.

    Args:
        settings: See `Settings`.
        version: Version of the server.
        library: Library to show.
        streams: Open streams of this worker.
        search: Search of the library.
        usage: Records of reads and clients.
        threads: Run blocking calls.
        cells: Metrics of all workers.
        observer: Observer of this worker, for its slowest reads.
        shared: Directory shared by the workers of this server; None if there is one process.
    """
    if not settings.dashboard:
        return None
    slowest = Slowest()
    observer.also_batches(slowest.take)

    def sample() -> Sample:
        return sample_of(series_totals(cells) | worker_counts(cells), time())

    workers = settings.workers
    worker = Worker(library, streams, slowest)
    board = Board(shared if workers > 1 else None)
    live = Live(sample, slowest, worker.report, lambda: library.is_ready, board, threads)
    about = About(
        library.catalog.rules.name,
        version,
        workers,
        settings.cache_max_resources * workers,
        settings.cache_max_bytes * workers,
        BUCKETS_S[-1] * 1000,
    )
    readership = Readership(usage, threads)
    dashboard = Dashboard(library, live, threads, readership, SearchRoute(search, is_usage=False), about)
    observer.also(lambda recorder: recorder.counter(DASHBOARD_RESPONSES, dashboard.answered))
    return dashboard
