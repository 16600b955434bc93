"""Metrics of the workers: their processes, the interpreter, the event loop.

Names that begin with `process_` and `python_` are those of the official client library for Python, so that
its dashboards work.
"""

from __future__ import annotations

from choirbook.observe.metrics.metric import Kind, Label, Metric, Whole

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
    "Many of generation 2 while the lag of the event loop grows: something makes cyclic garbage; report it."
)

PROCESS = {
    WORKERS: Metric(
        Kind.GAUGE,
        "Worker processes that are alive.",
        "More than are wanted for the seconds of a rolling restart.",
        "Fewer than `choirbook_workers_wanted` for longer than a second: workers die of their start; see the "
        "log.",
    ),
    WANTED_WORKERS: Metric(
        Kind.GAUGE,
        "Worker processes that there should be.",
        "As `--workers` says.",
        "Nothing: it tells, and is neither good nor bad.",
    ),
    RESPAWNS: Metric(
        Kind.COUNTER,
        "Workers that took the place of others, after a death or in a rolling restart.",
        "0 on a well server that is not restarted.",
        "Look for the kernel's out-of-memory killer, and at the log around the time.",
    ),
    DESCRIPTORS_SHORT: Metric(
        Kind.GAUGE,
        "Workers that have few file descriptors left, or none.",
        "Each worker looks once a second whether less than a twentieth of its limit is free. With none left "
        "it serves from memory; new connections wait, and what needs a file gets 503.",
        "Over 0: raise `ulimit -n` where the server starts, or add workers. `process_open_fds` and "
        "`process_max_fds` say how many are open.",
    ),
    LOOP_LAG: Metric(
        Kind.HISTOGRAM,
        "How late the event loop was with what was due.",
        "Ten times a second each worker notes how late it is. While it is late, no request is answered. "
        "Below a millisecond it is the grain of the timer.",
        "Over 10 ms: the process has no CPU, or something blocks the loop; profile with `choirbook perf "
        "profile`.",
        (),
        "seconds",
        bounds=_LOOP_BOUNDS_S,
    ),
    CPU: Metric(
        Kind.COUNTER,
        "Total user and system CPU time of all workers, in seconds.",
        "Since each began to serve; what a dead worker used stays in it, up to its last second.",
        "Near one second a second for each worker: add workers.",
        (),
        "seconds",
    ),
    RESIDENT: Metric(
        Kind.GAUGE,
        "Resident memory of all workers, in bytes.",
        "What workers share counts for each of them.",
        "Growing without end, with `mcp_resource_cache_bytes` still: report it.",
        (),
        "bytes",
    ),
    VIRTUAL: Metric(
        Kind.GAUGE,
        "Virtual memory of all workers, in bytes.",
        "Address space, not memory in use; threads reserve much of it.",
        "Nothing to do, unless `ulimit -v` is set.",
        (),
        "bytes",
    ),
    OPEN_FDS: Metric(
        Kind.GAUGE,
        "Open file descriptors of all workers.",
        "Connections for the most part. The limit of one worker when the one that answers has none left to "
        "look with.",
        "Near `process_max_fds` for each worker: raise `ulimit -n`.",
    ),
    MAX_FDS: Metric(
        Kind.GAUGE,
        "File descriptors that a worker may have open.",
        "Of all workers the least.",
        "Raise `ulimit -n` where the server starts.",
        whole=Whole.LEAST,
    ),
    START: Metric(
        Kind.GAUGE,
        "When the oldest worker started, in seconds of Unix time.",
        "`time() -` it is for how long the server has been up.",
        "Nothing: it tells, and is neither good nor bad.",
        (),
        "seconds",
        Whole.LEAST,
    ),
    GC_COLLECTIONS: Metric(
        Kind.COUNTER,
        "Runs of the garbage collector by generation.",
        "Since each worker began to serve. A cached read makes no cyclic garbage.",
        _GC_REMEDY,
        (_GENERATION,),
    ),
    GC_COLLECTED: Metric(
        Kind.COUNTER,
        "Objects that the garbage collector freed, by generation.",
        "As `python_gc_collections_total`.",
        _GC_REMEDY,
        (_GENERATION,),
    ),
    GC_UNCOLLECTABLE: Metric(
        Kind.COUNTER,
        "Objects that the garbage collector found and could not free, by generation.",
        "0 always, on a well server.",
        "Report it: memory is lost.",
        (_GENERATION,),
    ),
    PYTHON: Metric(
        Kind.GAUGE,
        "The interpreter that runs the server; always 1.",
        "For comparing servers.",
        "Nothing: it tells, and is neither good nor bad.",
        tuple(
            Label(name, about="of the interpreter")
            for name in ("implementation", "major", "minor", "patchlevel", "version")
        ),
        whole=Whole.LEAST,
    ),
}
