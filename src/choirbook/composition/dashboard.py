"""Dashboard."""

from __future__ import annotations

from time import time

from choirbook.dashboard.live import Live
from choirbook.dashboard.readership import Readership
from choirbook.dashboard.routes import About, Dashboard
from choirbook.dashboard.slowest import Slowest
from choirbook.dashboard.worker_queries import WorkerQueries
from choirbook.dashboard.worker_report import WorkerReport
from choirbook.http.search import SearchRoute
from choirbook.library.library import Library
from choirbook.mcp.open_streams import OpenStreams
from choirbook.observe.exposition import series_totals
from choirbook.observe.figures import Sample, sample_of
from choirbook.observe.metrics import BUCKETS_S, DASHBOARD_RESPONSES
from choirbook.observe.observer import Observer
from choirbook.observe.processes import worker_counts
from choirbook.observe.shared_metrics import SharedMetrics
from choirbook.runtime.threads import Threads
from choirbook.search.service import SearchService
from choirbook.settings import Settings
from choirbook.usage.ledger import UsageLedger
from choirbook.workers.rpc import WorkerRpc


def make_dashboard(
    settings: Settings,
    version: str,
    library: Library,
    streams: OpenStreams,
    search: SearchService,
    usage: UsageLedger,
    threads: Threads,
    shared_metrics: SharedMetrics,
    observer: Observer,
    rpc: WorkerRpc,
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
        shared_metrics: Metrics of all workers.
        observer: Observer of this worker, whose slowest reads are shown.
        rpc: Calls the other workers.
    """
    if not settings.dashboard:
        return None
    slowest = Slowest()
    observer.also_batches(slowest.take)

    def sample() -> Sample:
        return sample_of(series_totals(shared_metrics) | worker_counts(shared_metrics), time())

    workers = settings.workers
    queries = WorkerQueries(WorkerReport(library, streams, slowest), rpc)
    live = Live(sample, slowest, lambda: library.is_ready, queries, threads)
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
    dashboard = Dashboard(library, live, queries, threads, readership, searching, about)
    observer.also(lambda recorder: recorder.counter(DASHBOARD_RESPONSES, dashboard.answered))
    return dashboard
