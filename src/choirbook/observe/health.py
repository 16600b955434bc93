"""Problems of a server, derived from its metrics and described in words. Pure.

The dashboard and `choirbook top` both use this module, so that they report the same states.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec

from choirbook.observe.metrics import (
    CATALOG_SIZE,
    DESCRIPTORS_SHORT,
    DROPPED_LINES,
    EVICTIONS,
    FAILED_SCANS,
    FAILING_EXPORTERS,
    FEED_LOSSES,
    FEED_UP,
    READY,
    REDIS_UNVERIFIED,
    RESPONSES,
    RULES_UP,
    SHARED_UP,
    SPANS_DROPPED,
    STALE,
    TRACES_DROPPED,
    WANTED_WORKERS,
    WATCH_WANTED,
    WATCHING,
    WORKERS,
)

_MANY_EVICTIONS = 100
"""Number of evictions in a quarter of an hour that is reported: fewer mean a library slightly larger than its
cache."""


class Severity(StrEnum):
    """Severity of a state."""

    BAD = "bad"
    """Clients are affected."""
    WARNING = "warning"
    """Clients are not affected yet."""


class HealthState(msgspec.Struct, frozen=True):
    """A condition that operators should know."""

    id: str
    level: Severity
    title: str
    meaning: str
    remedy: str


class HealthSample(NamedTuple):
    """Counters of all workers at one moment."""

    plain: Mapping[str, float]
    """Metric -> its sum over labels; metrics that no worker has are missing."""
    server_errors: float
    """Responses with a status of 500 or above."""

    def value(self, metric: str, default: float) -> float:
        """Return a metric; the default if no worker has it."""
        return self.plain.get(metric, default)


def states(old: HealthSample, new: HealthSample) -> list[HealthState]:
    """Return the problems, the worst first.

    Args:
        old: Start of the period.
        new: End of the period.
    """
    found = [*_now(new), *_lately(old, new)]
    return sorted(found, key=lambda state: state.level is not Severity.BAD)


def increase(old: float, new: float) -> float:
    """Return the growth of a counter; a decrease means that the server was restarted."""
    return new - old if new >= old else new


def _now(new: HealthSample) -> list[HealthState]:
    is_ready = new.value(READY, 1.0) != 0
    workers, wanted = new.value(WORKERS, 1.0), new.value(WANTED_WORKERS, 0.0)
    is_unwatched = new.value(WATCHING, 1.0) == 0 and new.value(WATCH_WANTED, 1.0) != 0
    described = (
        (not is_ready, _NOT_READY),
        (is_ready and new.value(CATALOG_SIZE, 1.0) == 0, _EMPTY),
        (workers < wanted, _workers_missing(workers, wanted)),
        (new.value(RULES_UP, 1.0) == 0, _RULES_REFUSED),
        (is_ready and is_unwatched, _UNWATCHED),
        (new.value(SHARED_UP, 1.0) == 0, _REDIS_DOWN),
        (new.value(FEED_UP, 1.0) == 0, _FEED_DOWN),
        (new.value(DESCRIPTORS_SHORT, 0.0) != 0, _DESCRIPTORS_SHORT),
        (new.value(FAILING_EXPORTERS, 0.0) != 0, _TRACES_FAILING),
    )
    return [state for is_so, state in described if is_so]


def _lately(old: HealthSample, new: HealthSample) -> list[HealthState]:
    found = []
    errors = increase(old.server_errors, new.server_errors)
    if errors:
        of_all = max(_grown(old, new, RESPONSES), errors)
        found.append(_server_errors(errors, of_all))
    for counted in COUNTED:
        number = _grown(old, new, counted.metric)
        if number >= counted.least:
            found.append(counted.state(number))
    return found


def _grown(old: HealthSample, new: HealthSample, metric: str) -> float:
    return increase(old.value(metric, 0.0), new.value(metric, 0.0))


_NOT_READY = HealthState(
    "not-ready",
    Severity.BAD,
    "Not ready: the library is still being scanned",
    "Reads wait up to ten seconds for the first scan, then fail with 503 and Retry-After. /readyz answers "
    "503.",
    "Wait. If this persists, the library's directory is slow or cannot be read: see the log on stderr, and "
    "run 'choirbook check'.",
)
_EMPTY = HealthState(
    "empty",
    Severity.BAD,
    "The library has no documents",
    "Every read ends in 'not found'.",
    "Check that the library's directory is mounted and holds files. 'choirbook check' lists the files that "
    "are left out, and why.",
)
_DESCRIPTORS_SHORT = HealthState(
    "descriptors-short",
    Severity.BAD,
    "File descriptors are running out",
    "A worker with none left serves cached documents only. New connections wait, and requests that need a "
    "file are answered with 503.",
    "Raise the limit where the server starts (ulimit -n, LimitNOFILE), or add workers.",
)
_REDIS_DOWN = HealthState(
    "redis-down",
    Severity.WARNING,
    "Redis is down or too slow",
    "Reads continue from memory and from the library; misses take longer, and hosts do not share what they "
    "loaded.",
    "Check Redis and the network to it. Choirbook retries every second; no restart is needed.",
)
_FEED_DOWN = HealthState(
    "feed-down",
    Severity.WARNING,
    "The change feed is down",
    "Workers receive no messages from each other, so each checks cached documents against the library "
    "after four seconds. Answers stay fresh; reads cost more.",
    "Check Redis, which carries the feed; if its user lacks permission for a command, the log names it. "
    "When the feed is back, everything is compared once.",
)
_TRACES_FAILING = HealthState(
    "traces-failing",
    Severity.WARNING,
    "Traces are not delivered",
    "The collector did not accept the last spans, so they are lost. No request was delayed; reads and the "
    "figures here are complete.",
    "Check the collector that OTEL_EXPORTER_OTLP_ENDPOINT names; the log on stderr has the reason.",
)


_UNWATCHED = HealthState(
    "watcher-down",
    Severity.WARNING,
    "The operating system reports no file changes",
    "Changes to the library are found only by full scans, every CHOIRBOOK_RESCAN_S seconds or more.",
    "Often the limit of inotify is reached: raise fs.inotify.max_user_watches. On network file systems "
    "this is expected: they report no changes.",
)
_RULES_REFUSED = HealthState(
    "rules-refused",
    Severity.WARNING,
    "Changed rules cannot be used",
    "A choirbook.toml or a .choirbookignore has errors, or cannot be read. The previous rules stay in force.",
    "/readyz and the log on stderr name the file and the line. Correct it; no restart is needed.",
)


def _workers_missing(workers: float, wanted: float) -> HealthState:
    return HealthState(
        "workers-missing",
        Severity.WARNING,
        f"Only {workers:.0f} of {wanted:.0f} workers run",
        "The others answer all requests until the missing ones are replaced.",
        "If this lasts longer than a few seconds, workers fail at startup: see the log on stderr for the "
        "reason.",
    )


def _server_errors(errors: float, responses: float) -> HealthState:
    return HealthState(
        "server-errors",
        Severity.BAD,
        f"{_count(errors, 'response')} with a server error",
        f"That is {100 * errors / responses:.2g} % of the responses in this period; clients saw a failure.",
        "See the log on stderr for the document that could not be read, or the traceback. 503 means that a "
        "limit of this server was reached.",
    )


def _count(number: float, noun: str) -> str:
    return f"{number:,.0f} {noun}{'' if number == 1 else 's'}"


class _CountedProblem(NamedTuple):
    """A state that is reported if it occurred in the period."""

    metric: str
    id: str
    noun: str
    title: str
    """Text around the number with its noun."""
    meaning: str
    remedy: str
    least: int = 1

    def state(self, number: float) -> HealthState:
        """Return the state for a number of events."""
        title = self.title.format(_count(number, self.noun))
        return HealthState(self.id, Severity.WARNING, title, self.meaning, self.remedy)


COUNTED = (
    _CountedProblem(
        STALE,
        "stale-reads",
        "read",
        "{} answered with the last good content",
        "Documents could not be read, so cached content was served; after a while such reads will fail.",
        "Check the library's disk or mount; the log on stderr names the documents.",
    ),
    _CountedProblem(
        FAILED_SCANS,
        "failed-scans",
        "scan",
        "{} of the library failed",
        "Changes on disk may be missed until a scan succeeds. The last known state is served.",
        "Check that the user that Choirbook runs as can read the library's directory.",
    ),
    _CountedProblem(
        DROPPED_LINES,
        "dropped-lines",
        "log line",
        "{} dropped",
        "The program that reads stderr is too slow for the rate of reads. No request was delayed; the "
        "figures here are complete.",
        "Use a faster log reader, or turn the access log off: --no-access-log.",
    ),
    _CountedProblem(
        SPANS_DROPPED,
        "dropped-spans",
        "span",
        "{} lost on the way to the collector",
        "Traces of this period have gaps, or are missing. No request was delayed.",
        "See choirbook_trace_spans_dropped_total for the reasons: check the collector, or sample fewer "
        "requests (OTEL_TRACES_SAMPLER_ARG).",
    ),
    _CountedProblem(
        TRACES_DROPPED,
        "dropped-traces",
        "request",
        "{} not traced",
        "More requests were sampled than the server had time to make spans for. No request was delayed.",
        "Sample fewer of them (OTEL_TRACES_SAMPLER_ARG), or add workers.",
    ),
    _CountedProblem(
        FEED_LOSSES,
        "feed-losses",
        "time",
        "Messages between workers were lost {}",
        "Each time, everything in memory was compared with the library again; answers stayed fresh.",
        "Redis restarted, or lacks memory for its clients' buffers: see its log.",
    ),
    _CountedProblem(
        REDIS_UNVERIFIED,
        "redis-unverified",
        "item",
        "{} in Redis not signed by this server's hosts",
        "They were ignored: documents were loaded from the library instead, and changes found by scans.",
        "Set the same CHOIRBOOK_REDIS_SECRET on every host; if it is the same, check who else writes to this "
        "Redis.",
    ),
    _CountedProblem(
        EVICTIONS,
        "evictions",
        "document",
        "{} evicted from the cache",
        "The documents that are read do not fit in the cache, so they are loaded repeatedly.",
        "Raise CACHE_MAX_SIZE (documents) or CHOIRBOOK_CACHE_MAX_BYTES, whichever is full.",
        _MANY_EVICTIONS,
    ),
)

NOW = (
    _NOT_READY,
    _EMPTY,
    _RULES_REFUSED,
    _UNWATCHED,
    _REDIS_DOWN,
    _FEED_DOWN,
    _DESCRIPTORS_SHORT,
    _TRACES_FAILING,
)
"""States of a moment that need no numbers."""

METRICS = frozenset(
    {
        CATALOG_SIZE,
        DESCRIPTORS_SHORT,
        FAILING_EXPORTERS,
        FEED_UP,
        READY,
        RESPONSES,
        RULES_UP,
        SHARED_UP,
        WANTED_WORKERS,
        WATCHING,
        WATCH_WANTED,
        WORKERS,
        *(counted.metric for counted in COUNTED),
    }
)
"""Metrics from which states are derived."""
