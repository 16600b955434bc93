"""Panels of the Grafana dashboard: titles, descriptions and queries. Pure values."""

from typing import NamedTuple

from choirbook.observe.metrics import METRICS

HEIGHT = 8
STAT_HEIGHT = 4

OF_THESE = 'job=~"$job",instance=~"$instance"'
READ = "mcp_resource_loading_latency_seconds"
OPERATION = "mcp_server_operation_duration_seconds"
EXEMPLIFIED = tuple(name for name, about in METRICS.items() if about.has_exemplars)
WITH_REDIS = "Only with --redis."


class Query(NamedTuple):
    """One query, and the name of its curves."""

    expr: str
    legend: str = ""

    @property
    def has_exemplars(self) -> bool:
        """Whether its metric has exemplars; see docs/tracing.md."""
        return any(f"{histogram}_bucket{{" in self.expr for histogram in EXEMPLIFIED)


class Panel(NamedTuple):
    """One panel."""

    title: str
    about: str
    unit: str
    queries: tuple[Query, ...]
    kind: str = "timeseries"
    width: int = 8
    height: int = HEIGHT


def rate(metric: str, by: str = "", more: str = "") -> str:
    """Return the query for the rate of a counter, by labels, filtered by `more`."""
    selector = ",".join(part for part in (OF_THESE, more) if part)
    return f"sum by ({by}) (rate({metric}{{{selector}}}[$__rate_interval]))"


def quantile(share: float, histogram: str, by: str = "") -> str:
    """Return the query for a quantile of a histogram, by labels."""
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({share:g}, {rate(f'{histogram}_bucket', labels)})"


def gauge(metric: str, by: str = "", of: str = "sum") -> str:
    """Return the query for a gauge, by labels."""
    return f"{of} by ({by}) ({metric}{{{OF_THESE}}})"


def or_none(expr: str, label: str) -> str:
    """Return the query with a zero as long as no such event has occurred."""
    return f'{expr} or label_replace(vector(0), "{label}", "none", "", "")'


def stat(title: str, about: str, unit: str, expr: str) -> Panel:
    """Create a panel of one figure."""
    return Panel(title, about, unit, (Query(expr),), "stat", 4, STAT_HEIGHT)


HIT_RATE = (
    f"{rate('mcp_resource_cache_hits_total')} / "
    f"({rate('mcp_resource_cache_hits_total')} + {rate('mcp_resource_cache_misses_total')})"
)
QUANTILES = (0.5, 0.95, 0.99)

TRAFFIC = (
    stat("Reads", "Reads of resources per second, over HTTP and MCP.", "reqps", rate(f"{READ}_count")),
    stat("Hit rate", "Share of reads answered from a cache.", "percentunit", HIT_RATE),
    stat("p95", "95 % of reads are answered within this time.", "s", quantile(0.95, READ)),
    stat(
        "Server errors",
        "Responses with 5xx per second. No input causes one on a healthy server.",
        "reqps",
        rate("choirbook_http_responses_total", more='status="5xx"'),
    ),
    stat(
        "Documents",
        "Resources that the library serves.",
        "none",
        gauge("choirbook_catalog_resources", of="min"),
    ),
    stat(
        "Up for",
        "Since the oldest worker started.",
        "s",
        f"time() - min(process_start_time_seconds{{{OF_THESE}}})",
    ),
    Panel(
        "Reads by type",
        "Reads per second by type of resource.",
        "reqps",
        (Query(rate(f"{READ}_count", "resource_type"), "{{resource_type}}"),),
    ),
    Panel(
        "Responses by status",
        "HTTP responses per second, all routes.",
        "reqps",
        (Query(rate("choirbook_http_responses_total", "status"), "{{status}}"),),
    ),
    Panel(
        "MCP by method",
        "MCP messages per second, the ten busiest methods.",
        "reqps",
        (Query(f"topk(10, {rate(f'{OPERATION}_count', 'mcp_method_name')})", "{{mcp_method_name}}"),),
    ),
    Panel(
        "MCP errors",
        "MCP messages per second answered with an error, by method and code; tool_error is an error that a "
        "tool reported.",
        "reqps",
        (
            Query(
                or_none(
                    rate(f"{OPERATION}_count", "mcp_method_name, error_type", 'error_type!=""'), "error_type"
                ),
                "{{mcp_method_name}} {{error_type}}",
            ),
        ),
    ),
    Panel(
        "Sent",
        "Bytes of response bodies per second.",
        "Bps",
        (Query(rate("choirbook_http_response_body_bytes_total"), "bodies"),),
    ),
    Panel(
        "Streams and notifications",
        "Open streams by era, sessions, and notifications per second.",
        "none",
        (
            Query(gauge("choirbook_open_streams", "era"), "streams, {{era}}"),
            Query(gauge("choirbook_sessions"), "sessions"),
            Query(rate("choirbook_notifications_total"), "notifications/s"),
        ),
    ),
)

LATENCY = (
    Panel(
        "All reads",
        "From the complete request to its response. Promised: 50, 100 and 200 ms.",
        "s",
        tuple(Query(quantile(share, READ), f"p{share * 100:g}") for share in QUANTILES),
    ),
    Panel(
        "p95 by type and cache result",
        "Hits promise 10 ms, misses 100 ms.",
        "s",
        (Query(quantile(0.95, READ, "resource_type, cache_result"), "{{resource_type}} {{cache_result}}"),),
    ),
    Panel(
        "p99 by type and cache result",
        "The slowest one per cent of reads.",
        "s",
        (Query(quantile(0.99, READ, "resource_type, cache_result"), "{{resource_type}} {{cache_result}}"),),
    ),
    Panel(
        "Distribution",
        "Number of reads by latency.",
        "s",
        (Query(rate(f"{READ}_bucket", "le"), "{{le}}"),),
        "heatmap",
    ),
    Panel(
        "p95 of MCP by method",
        "From the complete message to its result.",
        "s",
        (Query(quantile(0.95, OPERATION, "mcp_method_name"), "{{mcp_method_name}}"),),
    ),
    Panel(
        "Search",
        "Including time spent queued and waiting for the index.",
        "s",
        tuple(
            Query(quantile(share, "choirbook_search_latency_seconds"), f"p{share * 100:g}")
            for share in QUANTILES
        ),
    ),
)

CACHE = (
    Panel(
        "Hit rate by type",
        "Share of reads answered from a cache. Low only after a start or a change.",
        "percentunit",
        (
            Query(
                f"{rate('mcp_resource_cache_hits_total', 'resource_type')} / "
                f"({rate('mcp_resource_cache_hits_total', 'resource_type')} + "
                f"{rate('mcp_resource_cache_misses_total', 'resource_type')})",
                "{{resource_type}}",
            ),
        ),
    ),
    Panel(
        "Reads by cache result",
        "Hits and misses per second.",
        "reqps",
        (Query(rate(f"{READ}_count", "cache_result"), "{{cache_result}}"),),
    ),
    Panel(
        "Resources held",
        "In memory, on all workers; each has its own cache.",
        "none",
        (Query(gauge("mcp_resource_cache_size", "level"), "{{level}}"),),
    ),
    Panel(
        "Bytes held by form",
        "Which forms of documents fill the cache.",
        "bytes",
        (Query(gauge("mcp_resource_cache_form_bytes", "form"), "{{form}}"),),
    ),
    Panel(
        "Evictions",
        "Resources evicted per second, by the limit that was reached. Close to none on a healthy server.",
        "ops",
        (Query(rate("mcp_resource_cache_evictions_total", "level, reason"), "{{level}}, {{reason}}"),),
    ),
    Panel(
        "Look-up",
        "Time that the cache lookup takes in a read.",
        "s",
        (
            Query(
                quantile(0.99, "mcp_resource_cache_latency_seconds", "cache_result"), "p99 {{cache_result}}"
            ),
        ),
    ),
    Panel(
        "Redis look-ups",
        f"{WITH_REDIS} Misses that asked Redis, by result.",
        "ops",
        (Query(rate("choirbook_shared_cache_lookups_total", "result"), "{{result}}"),),
        width=12,
    ),
    Panel(
        "Redis writes",
        f"{WITH_REDIS} Values written, and values dropped.",
        "ops",
        (Query(rate("choirbook_shared_cache_writes_total", "result"), "{{result}}"),),
        width=12,
    ),
)

FAULTS = (
    Panel(
        "What works",
        "1 is healthy. The watcher reports edits; Redis and its feed are shown only with --redis.",
        "none",
        (
            Query(gauge("choirbook_watch_up", of="min"), "watcher"),
            Query(gauge("choirbook_shared_cache_up", of="min"), "Redis"),
            Query(gauge("choirbook_feed_up", of="min"), "feed"),
        ),
    ),
    Panel(
        "Catalog",
        "Resources served; the lowest number of any worker.",
        "none",
        (Query(gauge("choirbook_catalog_resources", "instance", "min"), "{{instance}}"),),
    ),
    Panel(
        "Changes of the catalog",
        "Number of changes within the interval.",
        "none",
        (Query(f"max(changes(choirbook_catalog_generation{{{OF_THESE}}}[$__rate_interval]))", "changes"),),
    ),
    Panel(
        "Failed reads",
        "Per second, by reason. ResourceNotFound and Invalid... are errors of clients.",
        "reqps",
        (Query(rate("mcp_resource_failed_reads_total", "reason"), "{{reason}}"),),
    ),
    Panel(
        "Stale reads",
        "Reads per second answered with the last good content because the source failed.",
        "reqps",
        (Query(rate("mcp_resource_stale_reads_total", "resource_type"), "{{resource_type}}"),),
    ),
    Panel(
        "Losses",
        "Within the interval: failed scans, lost messages of the feed, lost log lines.",
        "none",
        (
            Query(f"sum(increase(choirbook_failed_scans_total{{{OF_THESE}}}[$__rate_interval]))", "scans"),
            Query(f"sum(increase(choirbook_feed_losses_total{{{OF_THESE}}}[$__rate_interval]))", "feed"),
            Query(
                f"sum(increase(choirbook_access_log_dropped_lines_total{{{OF_THESE}}}[$__rate_interval]))",
                "log lines",
            ),
        ),
    ),
    Panel(
        "Redis errors",
        f"{WITH_REDIS} Failed calls per second, by reason.",
        "ops",
        (Query(rate("choirbook_redis_errors_total", "reason"), "{{reason}}"),),
    ),
    Panel(
        "Breakers",
        f"{WITH_REDIS} Workers that bypass Redis, and how often one started to within the interval.",
        "none",
        (
            Query(gauge("choirbook_redis_open_breakers"), "open"),
            Query(
                f"sum(increase(choirbook_redis_breaker_openings_total{{{OF_THESE}}}[$__rate_interval]))",
                "openings",
            ),
        ),
    ),
    Panel(
        "Unverified in Redis",
        f"{WITH_REDIS} Items per second whose signature or content was wrong, by kind. They were ignored.",
        "ops",
        (Query(rate("choirbook_redis_unverified_total", "kind"), "{{kind}}"),),
    ),
    Panel(
        "Refusals by share",
        "Refusals per second of requests beyond a client address's share, by what was requested.",
        "ops",
        (Query(rate("choirbook_share_refusals_total", "share"), "{{share}}"),),
    ),
    Panel(
        "Traces",
        "Only with OTEL_* settings. Spans per second that were delivered, and that were lost, by reason.",
        "ops",
        (
            Query(rate("choirbook_trace_spans_exported_total"), "arrived"),
            Query(rate("choirbook_trace_spans_dropped_total", "reason"), "{{reason}}"),
            Query(rate("choirbook_traces_dropped_total"), "requests not traced"),
        ),
    ),
    Panel(
        "Ended streams",
        "Per second, by reason. slow: clients that do not read what is sent.",
        "ops",
        (Query(rate("choirbook_ended_streams_total", "reason"), "{{reason}}"),),
    ),
)

PROCESS = (
    Panel(
        "Workers",
        "Running and wanted, and how many were replaced since the start.",
        "none",
        (
            Query(gauge("choirbook_workers"), "alive"),
            Query(gauge("choirbook_workers_wanted"), "wanted"),
            Query(gauge("choirbook_worker_respawns_total"), "respawned"),
        ),
    ),
    Panel(
        "CPU",
        "CPU seconds per second; near 1 per worker, CPU is exhausted.",
        "none",
        (Query(rate("process_cpu_seconds_total", "instance"), "{{instance}}"),),
    ),
    Panel(
        "Memory",
        "Resident memory; memory that workers share counts for each.",
        "bytes",
        (
            Query(gauge("process_resident_memory_bytes", "instance"), "{{instance}}"),
            Query(gauge("mcp_resource_cache_bytes"), "cached documents"),
        ),
    ),
    Panel(
        "Event loop",
        "Delay of scheduled work. While the loop is late, no request is answered.",
        "s",
        tuple(
            Query(quantile(share, "choirbook_event_loop_lag_seconds"), f"p{share * 100:g}")
            for share in QUANTILES
        ),
    ),
    Panel(
        "File descriptors",
        "Open descriptors of all workers, the limit of one worker, and workers with few left.",
        "none",
        (
            Query(gauge("process_open_fds", "instance"), "{{instance}}"),
            Query(gauge("process_max_fds", of="min"), "limit of a worker"),
            Query(gauge("choirbook_workers_short_of_descriptors"), "workers with few left"),
        ),
    ),
    Panel(
        "Garbage collector",
        "Runs per second by generation.",
        "ops",
        (Query(rate("python_gc_collections_total", "generation"), "generation {{generation}}"),),
    ),
)

ROWS = {
    "Traffic": TRAFFIC,
    "Latency": LATENCY,
    "Cache": CACHE,
    "Freshness and faults": FAULTS,
    "Process": PROCESS,
}
