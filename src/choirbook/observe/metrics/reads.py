"""Metrics of reads, of the cache in memory, and of answers over HTTP and MCP."""

from __future__ import annotations

from choirbook.cache.memory import Bound
from choirbook.errors import TABLE
from choirbook.mcp.operations import NOTIFICATIONS, OTHER, TOOL_ERROR
from choirbook.model import Form
from choirbook.observe.metrics.metric import Kind, Label, Metric

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
        Kind.HISTOGRAM,
        "Time from a request to its response, reads of resources only.",
        "How fast reads are, of both surfaces: from the moment the whole request was there until its "
        "response was handed over. A `hit` came from memory or Redis, or ended in 304; all else is a "
        "`miss`.",
        "Slow hits: the process has no CPU; see `choirbook_event_loop_lag_seconds` and add workers. Slow "
        "misses: the library's disk or network is slow; see the runbook of performance.",
        (_TYPE, _RESULT),
        "seconds",
        has_exemplars=True,
    ),
    LOOKUP: Metric(
        Kind.HISTOGRAM,
        "Time of the look-up in the in-process cache.",
        "What the cache itself takes of a read: microseconds. The load after a miss is not part of it.",
        "When it grows, the process was interrupted: look for other work on the same cores.",
        (_RESULT,),
        "seconds",
    ),
    HITS: Metric(
        Kind.COUNTER,
        "Reads answered from a cache, revalidations included.",
        "With the misses it makes the hit rate.",
        "A low rate: see `mcp_resource_cache_misses_total`.",
        (_TYPE,),
    ),
    MISSES: Metric(
        Kind.COUNTER,
        "Reads that went to the source.",
        "A document is read once after a start, a change, and `CACHE_TTL`; those are the misses of a well "
        "server.",
        "More than that: evictions say that the cache is too small (raise `CACHE_MAX_SIZE` or "
        "`CHOIRBOOK_CACHE_MAX_BYTES`); without evictions raise `CACHE_TTL`.",
        (_TYPE,),
    ),
    STALE: Metric(
        Kind.COUNTER,
        "Reads answered with the last good content because the source failed.",
        "Clients still get a document, but the source could not give the newest. 0 on a well server.",
        "Look at the library's disk or mount; the log on stderr has the reason of each.",
        (_TYPE,),
    ),
    FAILED: Metric(
        Kind.COUNTER,
        "Reads that ended in an error.",
        "By the name of the error. `ResourceNotFound` and those that begin with `Invalid` are the "
        "client's doing.",
        "`ResourceUnreadable`: run `choirbook check` on the library. `Overloaded`: more reads wait for the "
        "source than may; it is slow, or `CHOIRBOOK_MAX_WAITING_READS` is too low. `NotReady`: the first "
        "survey takes long.",
        (Label("reason", tuple(sorted(error.__name__ for error in TABLE))),),
    ),
    CACHE_SIZE: Metric(
        Kind.GAUGE,
        "Resources held by a level of the cache, over all workers.",
        "Each worker has a cache of its own, so a document that all hold counts once for each.",
        "At `CACHE_MAX_SIZE` for each worker, and evictions rise: raise it.",
        (_LEVEL,),
    ),
    CACHE_BYTES: Metric(
        Kind.GAUGE,
        "Bytes held by a level of the cache, keys counted, over all workers.",
        "What the budget `CHOIRBOOK_CACHE_MAX_BYTES` of each worker is held against.",
        "At the budget, and evictions rise: raise it, or have fewer workers.",
        (_LEVEL,),
        "bytes",
    ),
    FORM_BYTES: Metric(
        Kind.GAUGE,
        "Bytes held in memory by form, keys counted, over all workers.",
        "Which shapes of documents fill the cache: a form is made when the first client asks for it.",
        "A form that nobody should ask for: find the client by its `Accept` and `Accept-Encoding`.",
        (Label("form", tuple(form.value for form in Form)),),
        "bytes",
    ),
    EVICTIONS: Metric(
        Kind.COUNTER,
        "Resources put out of a level of the cache to keep its bounds.",
        "By the bound that was met: the number of `resources`, or their `bytes`. Next to 0 on a well server.",
        "By `resources`: raise `CACHE_MAX_SIZE`. By `bytes`: raise `CHOIRBOOK_CACHE_MAX_BYTES`.",
        (_LEVEL, Label("reason", tuple(bound.value for bound in Bound))),
    ),
    SEARCH: Metric(
        Kind.HISTOGRAM,
        "Time of a search, the wait for its turn and for the index included.",
        "The first search of a process builds the index, so it takes longer.",
        "Slow ones: searches take turns; add workers, or look who searches so often.",
        (),
        "seconds",
    ),
    RESPONSES: Metric(
        Kind.COUNTER,
        "HTTP responses by class of status.",
        "All routes. MCP errors mostly travel with 2xx, see `mcp_server_operation_duration_seconds`.",
        "5xx: no input causes one on a well server; the log on stderr has the reason.",
        (Label("status", tuple(f"{digit}xx" for digit in STATUS_CLASSES)),),
    ),
    DASHBOARD_RESPONSES: Metric(
        Kind.COUNTER,
        "Responses to requests of open dashboards: the page, its files, its stream and what it asks for.",
        "Part of `choirbook_http_responses_total`; the rate on the dashboard leaves them out.",
        "Much for few people: a page that is left open, or a program that polls what is made for the page.",
    ),
    SENT_BYTES: Metric(
        Kind.COUNTER,
        "Bytes of the bodies of HTTP responses.",
        "What clients are sent, compressed where they take it; heads and streams are not counted.",
        "Much for few reads: clients that neither revalidate nor take a coding.",
        (),
        "bytes",
    ),
    OPERATIONS: Metric(
        Kind.HISTOGRAM,
        "MCP request or notification duration, from when it was received until the result was sent.",
        "`mcp.server.operation.duration` of the OpenTelemetry conventions for MCP, with their attributes "
        "as labels. One that went well has no `error_type`; a failed one has its JSON-RPC code there and "
        "in `rpc_response_status_code`, or `tool_error`. `gen_ai_tool_name` and `gen_ai_operation_name` "
        f"are with calls of a tool. The method is `{OTHER}` where there is none of the name, and where the "
        "message could not be read. The stream of `subscriptions/listen` counts until it is open. Left "
        "out, as they would multiply the series: prompts, revisions, and the transport, which is always "
        "`tcp` where this can be scraped. Buckets below 10 ms are finer than the convention's, all of "
        "which are there too.",
        "Errors of one method: `-32601` is a client that asks for what is not there, `-32602` parameters "
        "that do not fit, `-32603` a fault of the server, of which the log tells.",
        (
            Label("mcp_method_name", (OTHER, *NOTIFICATIONS), "and the methods of the server"),
            Label("error_type", (*_CODES, TOOL_ERROR), "absent from what went well"),
            Label("rpc_response_status_code", _CODES, "absent from what went well"),
            Label("gen_ai_tool_name", about="the server's tools; absent from other methods"),
            Label("gen_ai_operation_name", ("execute_tool",), "absent from other methods"),
        ),
        "seconds",
        bounds=OPERATION_BUCKETS_S,
        has_exemplars=True,
    ),
    DROPPED_LINES: Metric(
        Kind.COUNTER,
        "Access log lines dropped because stderr did not take them.",
        "Reads do not wait for the log, so a slow reader of stderr loses lines.",
        "Have stderr read faster, or the log switched off with `CHOIRBOOK_ACCESS_LOG=off`.",
    ),
}
