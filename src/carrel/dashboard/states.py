"""What is not as it should be, in words: what it means, and what to do. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from carrel.dashboard.figures import Sample, increase
from carrel.observe.metrics import (
    CATALOG_SIZE,
    DESCRIPTORS_SHORT,
    DROPPED_LINES,
    EVICTIONS,
    FAILED_SURVEYS,
    FAILING_EXPORTERS,
    FEED_LOSSES,
    FEED_UP,
    REDIS_UNVERIFIED,
    RESPONSES,
    SHARED_UP,
    SPANS_DROPPED,
    STALE,
    TRACES_DROPPED,
    WATCHING,
)

_MANY_EVICTIONS = 100
"""In a quarter of an hour: fewer are a library that grew a little beyond its cache."""


class Level(StrEnum):
    """How bad it is."""

    BAD = "bad"
    """Clients notice."""
    WARNING = "warning"
    """Clients do not notice yet."""


class State(msgspec.Struct, frozen=True):
    """Something that an operator should know of."""

    id: str
    level: Level
    title: str
    meaning: str
    remedy: str


class Surroundings(msgspec.Struct, frozen=True):
    """What samples do not say."""

    is_ready: bool
    watch: bool
    """Whether Carrel was told to have the system tell of changes."""
    rescan_s: float


def states(old: Sample, new: Sample, surroundings: Surroundings) -> list[State]:
    """Return what is wrong, the worst first.

    Args:
        old: The beginning of the time that is looked at.
        new: Its end.
        surroundings: See there.
    """
    found = [*_now(new, surroundings), *_lately(old, new)]
    return sorted(found, key=lambda state: state.level is not Level.BAD)


def _now(new: Sample, surroundings: Surroundings) -> list[State]:
    found = []
    if not surroundings.is_ready:
        found.append(_NOT_READY)
    elif new.value(CATALOG_SIZE) == 0:
        found.append(_EMPTY)
    if surroundings.watch and surroundings.is_ready and new.value(WATCHING, 1.0) == 0:
        found.append(_unwatched(surroundings.rescan_s))
    if new.value(SHARED_UP, 1.0) == 0:
        found.append(_REDIS_DOWN)
    if new.value(FEED_UP, 1.0) == 0:
        found.append(_FEED_DOWN)
    if new.value(DESCRIPTORS_SHORT):
        found.append(_DESCRIPTORS_SHORT)
    if new.value(FAILING_EXPORTERS):
        found.append(_TRACES_FAILING)
    return found


def _lately(old: Sample, new: Sample) -> list[State]:
    found = []
    errors = max(0.0, new.server_errors - old.server_errors)
    if errors:
        of_all = max(increase(old, new, RESPONSES), errors)
        found.append(_server_errors(errors, of_all))
    for counted in _COUNTED:
        number = increase(old, new, counted.metric)
        if number >= counted.least:
            found.append(counted.state(number))
    return found


_NOT_READY = State(
    "not-ready",
    Level.BAD,
    "Not ready: the library is still being surveyed",
    "Reads wait up to ten seconds for the first survey, then are told to come again. /readyz answers 503.",
    "Wait. If it stays so, the library's directory is slow or cannot be read: see the log on stderr, "
    "and run 'carrel check'.",
)
_EMPTY = State(
    "empty",
    Level.BAD,
    "The library has no documents",
    "Every read ends in 'not found'.",
    "See whether the library's directory is mounted and holds files. 'carrel check' names what is left out, "
    "and why.",
)
_DESCRIPTORS_SHORT = State(
    "descriptors-short",
    Level.BAD,
    "File descriptors are running out",
    "A worker with none left serves what it holds in memory. New connections wait, and whatever needs a file "
    "is answered with 503.",
    "Raise the limit where the server starts (ulimit -n, LimitNOFILE), or add workers.",
)
_REDIS_DOWN = State(
    "redis-down",
    Level.WARNING,
    "Redis is down, or too slow",
    "Reads go on from memory and from the library; a miss costs more, and what one host loaded is not "
    "there for the others.",
    "See to Redis and the way to it. Carrel tries again every two seconds; nothing has to be restarted.",
)
_FEED_DOWN = State(
    "feed-down",
    Level.WARNING,
    "The feed of changes is down",
    "Workers do not hear from each other, so each compares what it has in memory with the library after four "
    "seconds. Answers stay fresh; reads cost more.",
    "See to Redis, which carries the feed; the log names a command that its user may not run. When it is "
    "back, everything is compared once.",
)
_TRACES_FAILING = State(
    "traces-failing",
    Level.WARNING,
    "Traces do not arrive",
    "The collector did not take the last spans, so they are lost. No request waited for it; reads and the "
    "figures here are whole.",
    "See to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names; the log on stderr has the reason.",
)


def _unwatched(rescan_s: float) -> State:
    return State(
        "watcher-down",
        Level.WARNING,
        "The system does not tell of changes",
        f"Changes to the library are found by surveys only, one every {rescan_s:g} seconds or more.",
        "Often the limit of inotify is reached: raise fs.inotify.max_user_watches. Network file systems tell "
        "of no changes; there it has to be so.",
    )


def _server_errors(errors: float, responses: float) -> State:
    return State(
        "server-errors",
        Level.BAD,
        f"{_count(errors, 'response')} with a server error",
        f"That is {100 * errors / responses:.2g} % of the responses in this time; clients saw a failure.",
        "The log on stderr says which document could not be read, or has the traceback. "
        "503 means that more was asked for than this server holds.",
    )


def _count(number: float, noun: str) -> str:
    return f"{number:,.0f} {noun}{'' if number == 1 else 's'}"


class _Counted(NamedTuple):
    """What is told of when it happened in the time that is looked at."""

    metric: str
    id: str
    noun: str
    title: str
    """Around how many of the noun there were."""
    meaning: str
    remedy: str
    least: int = 1

    def state(self, number: float) -> State:
        """Return what is told of so many."""
        title = self.title.format(_count(number, self.noun))
        return State(self.id, Level.WARNING, title, self.meaning, self.remedy)


_COUNTED = (
    _Counted(
        STALE,
        "stale-reads",
        "read",
        "{} answered with the last good content",
        "Documents could not be read, so what was in memory was served; after a while such reads will fail.",
        "See whether the library's disk or mount is well; the log on stderr names the documents.",
    ),
    _Counted(
        FAILED_SURVEYS,
        "failed-surveys",
        "survey",
        "{} of the library failed",
        "What changed on disk may be missed until one succeeds. What is served is the last known state.",
        "See whether the library's directory can be read by the user that Carrel runs as.",
    ),
    _Counted(
        DROPPED_LINES,
        "dropped-lines",
        "log line",
        "{} dropped",
        "What reads stderr is slower than the reads come in. No request waited for it; the figures here are "
        "whole.",
        "Give the log a faster reader, or do without it: --no-access-log.",
    ),
    _Counted(
        SPANS_DROPPED,
        "dropped-spans",
        "span",
        "{} lost on the way to the collector",
        "Traces of this time have gaps, or are missing. No request waited for them.",
        "carrel_trace_spans_dropped_total says why, by reason: see to the collector, or sample fewer "
        "requests (OTEL_TRACES_SAMPLER_ARG).",
    ),
    _Counted(
        TRACES_DROPPED,
        "dropped-traces",
        "request",
        "{} not traced",
        "More requests were sampled than the server had time to make spans for. No request waited for it.",
        "Sample fewer of them (OTEL_TRACES_SAMPLER_ARG), or add workers.",
    ),
    _Counted(
        FEED_LOSSES,
        "feed-losses",
        "time",
        "Messages between workers were lost {}",
        "Each time, everything in memory was compared with the library again; answers stayed fresh.",
        "Redis restarted, or is short of memory for its clients' buffers: see its log.",
    ),
    _Counted(
        REDIS_UNVERIFIED,
        "redis-unverified",
        "item",
        "{} in Redis not signed by this server's hosts",
        "They were not used: documents were loaded from the library instead, and changes found by surveys.",
        "Give every host the same CARREL_REDIS_SECRET; if they have it, see who else writes to this Redis.",
    ),
    _Counted(
        EVICTIONS,
        "evictions",
        "document",
        "{} put out of the cache to make room",
        "The library that is read is larger than the cache, so documents are loaded again and again.",
        "Raise CACHE_MAX_SIZE (documents) or CARREL_CACHE_MAX_BYTES, whichever is full.",
        _MANY_EVICTIONS,
    ),
)
