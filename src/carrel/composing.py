"""How the composition root makes what takes more than a line: settings -> objects."""

from __future__ import annotations

from pathlib import Path
from time import time

from carrel.cache.feed import Feed
from carrel.cache.keys import Keys
from carrel.cache.memory import MemoryCache
from carrel.cache.redis_link import RedisLink
from carrel.cache.shared import SharedLevel
from carrel.catalog import Catalog
from carrel.dashboard.board import Board
from carrel.dashboard.figures import Sample, sample_of
from carrel.dashboard.live import Live
from carrel.dashboard.readership import Readership
from carrel.dashboard.routes import About, Dashboard
from carrel.dashboard.slowest import Slowest
from carrel.dashboard.worker import Worker
from carrel.freshness import Freshness
from carrel.http.search import SearchRoute
from carrel.library import Library
from carrel.mcp.streams import Streams
from carrel.model import Source
from carrel.observe.access_log import AccessLog
from carrel.observe.cells import Cells
from carrel.observe.exposition import series_totals
from carrel.observe.lines import LineWriter
from carrel.observe.metrics import BUCKETS_S
from carrel.observe.operator_log import is_for_people
from carrel.redis_url import parse_redis_url
from carrel.rendering import Stamp
from carrel.search.searching import Search
from carrel.settings import Settings
from carrel.threads import Threads
from carrel.usage.ledger import UsageLedger
from carrel.usage.store import FILE_NAME, IN_MEMORY


def make_library(
    settings: Settings,
    source: Source,
    catalog: Catalog,
    threads: Threads,
    stamp: Stamp,
    level: SharedLevel | None,
) -> Library:
    """Make the library and what is under it.

    Args:
        settings: See `Settings`.
        source: Where documents come from.
        catalog: What there is.
        threads: Where blocking calls run.
        stamp: What is put into every result.
        level: The shared level; None where there is no Redis.
    """
    memory = MemoryCache(
        settings.cache_max_resources,
        settings.cache_max_bytes,
        settings.cache_ttl_s,
        settings.last_good_s,
        settings.cache_grace_s,
    )
    freshness = Freshness(
        source, catalog, settings.root, threads, rescan_s=settings.rescan_s, watch=settings.watch
    )
    return Library(
        source, catalog, freshness, memory, threads, stamp, level, max_waiting=settings.max_waiting_reads
    )


def make_shared_level(settings: Settings, library: str, stamp: Stamp) -> SharedLevel | None:
    """Make the level in Redis; None where no Redis is set.

    Args:
        settings: See `Settings`.
        library: Its name, which keys begin with.
        stamp: What is put into every result: values of another stamp are others.

    Raises:
        ExtraMissing: The client library of Redis is not installed.
    """
    if not settings.redis_url:
        return None
    keys = Keys(library, stamp)
    feed = Feed(RedisLink(parse_redis_url(settings.redis_url)), keys)
    return SharedLevel(feed, keys, settings.cache_ttl_s)


def make_access_log(settings: Settings, writer: LineWriter) -> AccessLog | None:
    """Make the log of reads; None where none is wanted."""
    if not settings.access_log:
        return None
    return AccessLog(
        writer,
        settings.log_hits,
        with_ids=settings.log_request_ids,
        for_people=is_for_people(settings.log_format),
    )


def make_usage_ledger(settings: Settings, shared: Path | None) -> UsageLedger:
    """Make the ledger of what is read.

    Args:
        settings: Which say where it is kept, and whether by client.
        shared: The directory of this server's workers, who have one ledger; None where there is one.
    """
    path = settings.usage or (IN_MEMORY if shared is None else shared / FILE_NAME)
    return UsageLedger(path, is_kept=settings.usage is not None, counts_clients=settings.counts_clients)


def make_dashboard(
    settings: Settings,
    version: str,
    library: Library,
    streams: Streams,
    search: Search,
    usage: UsageLedger,
    threads: Threads,
    cells: Cells,
    slowest: Slowest,
    shared: Path | None,
) -> Dashboard:
    """Make the page for people.

    Args:
        settings: See `Settings`.
        version: Of the server.
        library: Which it shows.
        streams: Who listens.
        search: What its search asks.
        usage: Who read what.
        threads: Where blocking calls run.
        cells: The figures of all workers.
        slowest: The slowest reads of this one.
        shared: The directory of this server's workers; None where there is one process.
    """

    def sample() -> Sample:
        return sample_of(series_totals(cells), time())

    workers = settings.workers
    worker = Worker(library, streams, slowest, settings)
    board = Board(shared if workers > 1 else None)
    live = Live(sample, slowest, worker.report, worker.surroundings, board, threads)
    about = About(
        library.catalog.rules.name,
        version,
        workers,
        settings.cache_max_resources * workers,
        settings.cache_max_bytes * workers,
        BUCKETS_S[-1] * 1000,
    )
    readership = Readership(usage, threads)
    return Dashboard(library, live, threads, readership, SearchRoute(search, is_usage=False), about)
