"""The metrics of the interface: each one declared, and nothing recorded."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

BUCKETS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.010, 0.025, 0.050, 0.100, 0.200, 0.500, 1.000)
SUM_CELL = len(BUCKETS_S) + 1

LOADING = "mcp_resource_loading_latency_seconds"
LOOKUP = "mcp_resource_cache_latency_seconds"
HITS = "mcp_resource_cache_hits_total"
MISSES = "mcp_resource_cache_misses_total"
STALE = "mcp_resource_stale_reads_total"
FAILED = "mcp_resource_failed_reads_total"
RESPONSES = "carrel_http_responses_total"
CACHE_SIZE = "mcp_resource_cache_size"
CACHE_BYTES = "mcp_resource_cache_bytes"
EVICTIONS = "mcp_resource_cache_evictions_total"
CATALOG_SIZE = "carrel_catalog_resources"
WATCHING = "carrel_watch_up"
FAILED_SURVEYS = "carrel_failed_surveys_total"
SEARCH = "carrel_search_latency_seconds"
SHARED_UP = "carrel_shared_cache_up"
FEED_UP = "carrel_feed_up"
FEED_LOSSES = "carrel_feed_losses_total"
SHARED_LOOKUPS = "carrel_shared_cache_lookups_total"
SHARED_WRITES = "carrel_shared_cache_writes_total"
REDIS_ERRORS = "carrel_redis_errors_total"
DROPPED_LINES = "carrel_access_log_dropped_lines_total"
OPEN_STREAMS = "carrel_open_streams"
SESSIONS = "carrel_sessions"
NOTIFICATIONS = "carrel_notifications_total"
ENDED_STREAMS = "carrel_ended_streams_total"


class Kind(StrEnum):
    """What a metric's figures are."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Whole(StrEnum):
    """What the figures of all workers come to."""

    SUM = "sum"
    LEAST = "least"
    """Of what every worker has whole: their sum would say nothing, the least is the worst case."""
    GREATEST = "greatest"
    """Of what the workers have together, and some have not looked at yet."""


class Metric(NamedTuple):
    """One metric."""

    kind: Kind
    help: str
    """One line, shown beside the figures."""
    unit: str = ""
    """`seconds` or `bytes`, with which the name ends before `_total`; "" for what is counted."""
    whole: Whole = Whole.SUM


METRICS = {
    LOADING: Metric(
        Kind.HISTOGRAM, "Time from a request to its response, reads of resources only.", "seconds"
    ),
    LOOKUP: Metric(Kind.HISTOGRAM, "Time of the look-up in the in-process cache.", "seconds"),
    HITS: Metric(Kind.COUNTER, "Reads answered from a cache, revalidations included."),
    MISSES: Metric(Kind.COUNTER, "Reads that went to the source."),
    STALE: Metric(Kind.COUNTER, "Reads answered with the last good content because the source failed."),
    FAILED: Metric(Kind.COUNTER, "Reads that ended in an error."),
    RESPONSES: Metric(Kind.COUNTER, "HTTP responses by class of status."),
    CACHE_SIZE: Metric(Kind.GAUGE, "Resources held by a level of the cache, over all workers."),
    CACHE_BYTES: Metric(
        Kind.GAUGE, "Bytes held by a level of the cache, keys counted, over all workers.", "bytes"
    ),
    EVICTIONS: Metric(Kind.COUNTER, "Resources put out of a level of the cache to keep its bounds."),
    CATALOG_SIZE: Metric(Kind.GAUGE, "Resources that the library serves.", whole=Whole.LEAST),
    WATCHING: Metric(
        Kind.GAUGE,
        "Whether the system tells of changes to the library (1) or surveys find them (0).",
        whole=Whole.LEAST,
    ),
    FAILED_SURVEYS: Metric(Kind.COUNTER, "Surveys of the library that failed."),
    SEARCH: Metric(
        Kind.HISTOGRAM, "Time of a search, the wait for its turn and for the index included.", "seconds"
    ),
    SHARED_UP: Metric(
        Kind.GAUGE, "Whether Redis is used (1) or left alone because it fails (0).", whole=Whole.LEAST
    ),
    FEED_UP: Metric(
        Kind.GAUGE,
        "Whether changes seen by other workers and hosts arrive (1) or not (0).",
        whole=Whole.LEAST,
    ),
    FEED_LOSSES: Metric(
        Kind.COUNTER, "How often messages of other workers were lost, and all was re-checked."
    ),
    SHARED_LOOKUPS: Metric(Kind.COUNTER, "Look-ups in the shared level by what they came to."),
    SHARED_WRITES: Metric(Kind.COUNTER, "Values for the shared level, written or dropped."),
    REDIS_ERRORS: Metric(Kind.COUNTER, "Calls of Redis that failed, by reason."),
    DROPPED_LINES: Metric(Kind.COUNTER, "Access log lines dropped because stderr did not take them."),
    OPEN_STREAMS: Metric(Kind.GAUGE, "Streams of notifications that are open, by era of the protocol."),
    SESSIONS: Metric(
        Kind.GAUGE, "Sessions of the handshake era, of all workers together.", whole=Whole.GREATEST
    ),
    NOTIFICATIONS: Metric(Kind.COUNTER, "Notifications sent to clients."),
    ENDED_STREAMS: Metric(Kind.COUNTER, "Streams that ended, by the reason."),
}
