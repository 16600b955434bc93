"""Dashboard."""

from __future__ import annotations

from time import time

from choirbook.dashboard.board import Board
from choirbook.dashboard.live import Live
from choirbook.dashboard.readership import Readership
from choirbook.dashboard.routes import About, Dashboard
from choirbook.dashboard.slowest import Slowest
from choirbook.dashboard.worker import Worker
from choirbook.http.search import SearchRoute
from choirbook.library.library import Library
from choirbook.mcp.open_streams import Streams
from choirbook.observe.cells import Cells
from choirbook.observe.exposition import series_totals
from choirbook.observe.figures import Sample, sample_of
from choirbook.observe.metrics import BUCKETS_S, DASHBOARD_RESPONSES
from choirbook.observe.observer import Observer
from choirbook.observe.processes import worker_counts
from choirbook.runtime.threads import Threads
from choirbook.search.service import Search
from choirbook.settings import Settings
from choirbook.usage.ledger import UsageLedger
from choirbook.workers.rpc import Neighbours


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
    neighbours: Neighbours,
) -> Dashboard | None:
    """Make the page for people; None where none is wanted.

    Args:
        settings: See `Settings`.
        version: Of the server.
        library: Which it shows.
        streams: Who listens.
        search: What its search asks.
        usage: Who read what.
        threads: Where blocking calls run.
        cells: The figures of all workers.
        observer: Of this one, whose slowest reads are shown.
        neighbours: The way to the other workers.
    """
    if not settings.dashboard:
        return None
    slowest = Slowest()
    observer.also_batches(slowest.take)

    def sample() -> Sample:
        return sample_of(series_totals(cells) | worker_counts(cells), time())

    workers = settings.workers
    board = Board(Worker(library, streams, slowest), neighbours)
    live = Live(sample, slowest, lambda: library.is_ready, board, threads)
    about = About(
        library.catalog.rules.name,
        version,
        workers,
        settings.cache_max_resources * workers,
        settings.cache_max_bytes * workers,
        BUCKETS_S[-1] * 1000,
    )
    readership = Readership(usage, threads)
    searching = SearchRoute(search, is_usage=False)
    dashboard = Dashboard(library, live, board, threads, readership, searching, about)
    observer.also(lambda recorder: recorder.counter(DASHBOARD_RESPONSES, dashboard.answered))
    return dashboard
