"""Metrics of the workers: their processes, the interpreter, the event loop.

Names that begin with `process_` and `python_` are those of the official client library for Python, so that
its dashboards work.
"""

from __future__ import annotations

from choirbook.observe.metrics.metric import Aggregation, Label, Metric, MetricKind

WORKERS = "choirbook_workers"
WANTED_WORKERS = "choirbook_workers_wanted"
RESPAWNS = "choirbook_worker_respawns_total"
DESCRIPTORS_SHORT = "choirbook_workers_short_of_descriptors"
LOOP_LAG = "choirbook_event_loop_lag_seconds"
CPU = "process_cpu_seconds_total"
RESIDENT = "process_resident_memory_bytes"
VIRTUAL = "process_virtual_memory_bytes"
OPEN_FDS = "process_open_fds"
MAX_FDS = "process_max_fds"
START = "process_start_time_seconds"
GC_COLLECTIONS = "python_gc_collections_total"
GC_COLLECTED = "python_gc_objects_collected_total"
GC_UNCOLLECTABLE = "python_gc_objects_uncollectable_total"
PYTHON = "python_info"

_LOOP_BOUNDS_S = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.010,
    0.020,
    0.050,
    0.100,
    0.200,
    0.500,
    1.000,
)
"""Includes 20 ms, the maximum for which a mass change of the library may block the loop."""

_GENERATION = Label("generation", ("0", "1", "2"))
_GC_REMEDY = (
    "Many of generation 2 while the event loop lag grows: something creates cyclic garbage; report it."
)

PROCESS = {
    WORKERS: Metric(
        MetricKind.GAUGE,
        "Worker processes that are alive.",
        "During a rolling restart there are more than configured, for seconds.",
        "Fewer than `choirbook_workers_wanted` for longer than a second: workers die at startup; see the "
        "log.",
    ),
    WANTED_WORKERS: Metric(
        MetricKind.GAUGE,
        "Configured number of worker processes.",
        "Set by `--workers`.",
        "Nothing; it is informational.",
    ),
    RESPAWNS: Metric(
        MetricKind.COUNTER,
        "Workers that replaced others, after a death or in a rolling restart.",
        "0 on a healthy server that was not restarted.",
        "Check for the kernel's out-of-memory killer, and read the log around that time.",
    ),
    DESCRIPTORS_SHORT: Metric(
        MetricKind.GAUGE,
        "Workers that have few or no free file descriptors.",
        "Each worker checks once a second whether less than a twentieth of its limit is free. With none "
        "free, it serves from memory; new connections wait, and requests that need a file get 503.",
        "Over 0: raise `ulimit -n` where the server starts, or add workers. `process_open_fds` and "
        "`process_max_fds` show how many are open.",
    ),
    LOOP_LAG: Metric(
        MetricKind.HISTOGRAM,
        "Delay of the event loop.",
        "Each worker measures it ten times a second. During the delay, the worker answers no request. Values "
        "below a millisecond are the resolution of the timer.",
        "Over 10 ms: the process lacks CPU, or something blocks the loop; profile it with `choirbook perf "
        "profile`.",
        (),
        "seconds",
        bounds=_LOOP_BOUNDS_S,
    ),
    CPU: Metric(
        MetricKind.COUNTER,
        "Total user and system CPU time of all workers, in seconds.",
        "Counted since each worker started to serve; includes dead workers, up to their last second.",
        "Near one second per second and worker: add workers.",
        (),
        "seconds",
    ),
    RESIDENT: Metric(
        MetricKind.GAUGE,
        "Resident memory of all workers, in bytes.",
        "Memory that workers share counts once for each of them.",
        "If it keeps growing while `mcp_resource_cache_bytes` does not, report it.",
        (),
        "bytes",
    ),
    VIRTUAL: Metric(
        MetricKind.GAUGE,
        "Virtual memory of all workers, in bytes.",
        "Address space, not memory in use; threads reserve much of it.",
        "Nothing, unless `ulimit -v` is set.",
        (),
        "bytes",
    ),
    OPEN_FDS: Metric(
        MetricKind.GAUGE,
        "Open file descriptors of all workers.",
        "Most of them are connections. If the worker that responds has none free to count with, this is the "
        "limit of one worker.",
        "Near `process_max_fds` times the number of workers: raise `ulimit -n`.",
    ),
    MAX_FDS: Metric(
        MetricKind.GAUGE,
        "Maximum number of open file descriptors of a worker.",
        "The lowest limit of all workers.",
        "If it is too low, raise `ulimit -n` where the server starts.",
        whole=Aggregation.LEAST,
    ),
    START: Metric(
        MetricKind.GAUGE,
        "Start time of the oldest worker, in seconds of Unix time.",
        "`time()` minus this value is the uptime of the server.",
        "Nothing; it is informational.",
        (),
        "seconds",
        Aggregation.LEAST,
    ),
    GC_COLLECTIONS: Metric(
        MetricKind.COUNTER,
        "Runs of the garbage collector by generation.",
        "Counted since each worker started to serve. A cached read creates no cyclic garbage.",
        _GC_REMEDY,
        (_GENERATION,),
    ),
    GC_COLLECTED: Metric(
        MetricKind.COUNTER,
        "Objects that the garbage collector freed, by generation.",
        "Counted like `python_gc_collections_total`.",
        _GC_REMEDY,
        (_GENERATION,),
    ),
    GC_UNCOLLECTABLE: Metric(
        MetricKind.COUNTER,
        "Objects that the garbage collector found and could not free, by generation.",
        "Always 0 on a healthy server.",
        "Report it: memory is lost.",
        (_GENERATION,),
    ),
    PYTHON: Metric(
        MetricKind.GAUGE,
        "The interpreter that runs the server; always 1.",
        "Helps to compare servers.",
        "Nothing; it is informational.",
        tuple(
            Label(name, about="of the interpreter")
            for name in ("implementation", "major", "minor", "patchlevel", "version")
        ),
        whole=Aggregation.LEAST,
    ),
}
