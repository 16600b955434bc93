"""Metrics of reads, of the cache in memory, and of answers over HTTP and MCP."""

from __future__ import annotations

from choirbook.cache.memory import Bound
from choirbook.errors import TABLE
from choirbook.mcp.operations import NOTIFICATIONS, OTHER, TOOL_ERROR
from choirbook.model import Form
from choirbook.observe.metrics.metric import Label, Metric, MetricKind

LOADING = "mcp_resource_loading_latency_seconds"
LOOKUP = "mcp_resource_cache_latency_seconds"
HITS = "mcp_resource_cache_hits_total"
MISSES = "mcp_resource_cache_misses_total"
STALE = "mcp_resource_stale_reads_total"
FAILED = "mcp_resource_failed_reads_total"
CACHE_SIZE = "mcp_resource_cache_size"
CACHE_BYTES = "mcp_resource_cache_bytes"
FORM_BYTES = "mcp_resource_cache_form_bytes"
EVICTIONS = "mcp_resource_cache_evictions_total"
SEARCH = "choirbook_search_latency_seconds"
RESPONSES = "choirbook_http_responses_total"
DASHBOARD_RESPONSES = "choirbook_dashboard_responses_total"
SENT_BYTES = "choirbook_http_response_body_bytes_total"
OPERATIONS = "mcp_server_operation_duration_seconds"
DROPPED_LINES = "choirbook_access_log_dropped_lines_total"

STATUS_CLASSES = (2, 3, 4, 5)

OPERATION_BUCKETS_S = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005),
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0),
)
"""The convention's bounds, so that servers can be compared, with finer ones below its first for hits."""

_TYPE = Label("resource_type", about="the types of the library's rules")
_RESULT = Label("cache_result", ("hit", "miss"))
_LEVEL = Label("level", ("memory",))
_CODES = tuple(sorted({str(code) for row in TABLE.values() for _, code in (row.handshake, row.modern)}))

READS = {
    LOADING: Metric(
        MetricKind.HISTOGRAM,
        "Time from a request to its response, for reads of resources.",
        "Measures reads over HTTP and MCP, from the arrival of the complete request until the response is "
        "handed to the server. A `hit` was served from memory or Redis, or ended in 304; every other read is "
        "a `miss`.",
        "Slow hits: the process lacks CPU; check `choirbook_event_loop_lag_seconds` and add workers. Slow "
        "misses: the library's disk or network is slow; see the performance runbook.",
        (_TYPE, _RESULT),
        "seconds",
        has_exemplars=True,
    ),
    LOOKUP: Metric(
        MetricKind.HISTOGRAM,
        "Time of a lookup in the memory cache.",
        "Usually microseconds. The load after a miss is not included.",
        "If it grows, the process was interrupted: look for other work on the same cores.",
        (_RESULT,),
        "seconds",
    ),
    HITS: Metric(
        MetricKind.COUNTER,
        "Reads answered from a cache, including revalidations.",
        "Hits and misses together give the hit rate.",
        "If the hit rate is low, see `mcp_resource_cache_misses_total`.",
        (_TYPE,),
    ),
    MISSES: Metric(
        MetricKind.COUNTER,
        "Reads that went to the source.",
        "A healthy server reads a document once after a start, after a change, and after `CACHE_TTL`.",
        "If there are more misses and the cache evicts, it is too small: raise `CACHE_MAX_SIZE` or "
        "`CHOIRBOOK_CACHE_MAX_BYTES`. Without evictions, raise `CACHE_TTL`.",
        (_TYPE,),
    ),
    STALE: Metric(
        MetricKind.COUNTER,
        "Reads answered with the last good content because the source failed.",
        "Clients still get a document, but it may be outdated. 0 on a healthy server.",
        "Check the library's disk or mount; the log on stderr has the reason for each.",
        (_TYPE,),
    ),
    FAILED: Metric(
        MetricKind.COUNTER,
        "Reads that ended in an error.",
        "Counted by the name of the error. Clients cause `ResourceNotFound` and the errors that begin with "
        "`Invalid`.",
        "`ResourceUnreadable`: run `choirbook check` on the library. `Overloaded`: too many reads wait "
        "for the "
        "source; it is slow, or `CHOIRBOOK_MAX_WAITING_READS` is too low. `NotReady`: the first scan takes "
        "long.",
        (Label("reason", tuple(sorted(error.__name__ for error in TABLE))),),
    ),
    CACHE_SIZE: Metric(
        MetricKind.GAUGE,
        "Resources in a level of the cache, over all workers.",
        "Each worker has its own cache, so a document counts once for each worker that holds it.",
        "If it is near `CACHE_MAX_SIZE` times the number of workers and evictions rise, raise that setting.",
        (_LEVEL,),
    ),
    CACHE_BYTES: Metric(
        MetricKind.GAUGE,
        "Bytes in a level of the cache, including keys, over all workers.",
        "`CHOIRBOOK_CACHE_MAX_BYTES` limits it for each worker.",
        "If it is near the limit and evictions rise, raise the limit, or use fewer workers.",
        (_LEVEL,),
        "bytes",
    ),
    FORM_BYTES: Metric(
        MetricKind.GAUGE,
        "Bytes in memory by form of document, including keys, over all workers.",
        "Shows which forms fill the cache. Choirbook makes a form when the first client asks for it.",
        "If a form is unexpected, find the client by its `Accept` and `Accept-Encoding`.",
        (Label("form", tuple(form.value for form in Form)),),
        "bytes",
    ),
    EVICTIONS: Metric(
        MetricKind.COUNTER,
        "Resources evicted from a level of the cache.",
        "Counted by the limit that was reached: the number of `resources`, or their `bytes`. Near 0 on a "
        "healthy server.",
        "By `resources`: raise `CACHE_MAX_SIZE`. By `bytes`: raise `CHOIRBOOK_CACHE_MAX_BYTES`.",
        (_LEVEL, Label("reason", tuple(bound.value for bound in Bound))),
    ),
    SEARCH: Metric(
        MetricKind.HISTOGRAM,
        "Time of a search, including the time spent queued and the wait for the index.",
        "The first search of a process builds the index, so it takes longer.",
        "Searches of a worker run one after the other. If they are slow, add workers, or find the client "
        "that searches so often.",
        (),
        "seconds",
    ),
    RESPONSES: Metric(
        MetricKind.COUNTER,
        "HTTP responses by status class.",
        "Includes all routes. Most MCP errors have status 2xx; see `mcp_server_operation_duration_seconds`.",
        "5xx: no client input causes one on a healthy server; the log on stderr has the reason.",
        (Label("status", tuple(f"{digit}xx" for digit in STATUS_CLASSES)),),
    ),
    DASHBOARD_RESPONSES: Metric(
        MetricKind.COUNTER,
        "Responses to open dashboards: the page, its files, its stream and its requests.",
        "Included in `choirbook_http_responses_total`, but not in the rate that the dashboard shows.",
        "Many responses for few people: somebody left a page open, or a program polls the page's routes.",
    ),
    SENT_BYTES: Metric(
        MetricKind.COUNTER,
        "Bytes of HTTP response bodies.",
        "Counts bodies as sent, after compression; headers and streams are not included.",
        "Many bytes for few reads: clients neither revalidate nor accept compression.",
        (),
        "bytes",
    ),
    OPERATIONS: Metric(
        MetricKind.HISTOGRAM,
        "Duration of an MCP request or notification, from its receipt until the result was sent.",
        "`mcp.server.operation.duration` of the OpenTelemetry conventions for MCP, with their attributes "
        "as labels. A successful operation has no `error_type`. A failed one has its JSON-RPC code there and "
        "in `rpc_response_status_code`, or `tool_error`. Tool calls have `gen_ai_tool_name` and "
        f"`gen_ai_operation_name`. The method is `{OTHER}` if it does not exist, or if the message could not "
        "be parsed. The stream of `subscriptions/listen` counts until it is open. Prompts, revisions and the "
        "transport are no labels, because they would multiply the series; the transport is always `tcp` "
        "where this metric can be scraped. The buckets include all of the convention's, and finer ones below "
        "10 ms.",
        "Check the errors of one method: with `-32601`, a client calls a method that does not exist; with "
        "`-32602`, its parameters are invalid; `-32603` is a server fault, which the log explains.",
        (
            Label("mcp_method_name", (OTHER, *NOTIFICATIONS), "and the methods of the server"),
            Label("error_type", (*_CODES, TOOL_ERROR), "absent on success"),
            Label("rpc_response_status_code", _CODES, "absent on success"),
            Label("gen_ai_tool_name", about="the server's tools; absent for other methods"),
            Label("gen_ai_operation_name", ("execute_tool",), "absent for other methods"),
        ),
        "seconds",
        bounds=OPERATION_BUCKETS_S,
        has_exemplars=True,
    ),
    DROPPED_LINES: Metric(
        MetricKind.COUNTER,
        "Access log lines dropped because stderr did not accept them in time.",
        "Reads do not wait for the log, so Choirbook drops lines if the reader of stderr is slow.",
        "Use a faster reader of stderr, or switch the log off with `CHOIRBOOK_ACCESS_LOG=off`.",
    ),
}
