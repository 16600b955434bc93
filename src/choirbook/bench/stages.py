"""`choirbook stages`: cost of each stage of a read, in microseconds, measured on the real objects.

Each stage is called in batches, long enough for the clock; the result is the median of the batches, minus the
cost of an empty call. A stage that contains another is measured completely, and the other's median
is subtracted.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import platform
import statistics
from collections.abc import Callable
from time import monotonic, perf_counter_ns
from typing import Any

import msgspec

from choirbook import __version__
from choirbook.bench.driver import DrivenApp, driven_app, hitting, new_loop
from choirbook.bench.send_cost import send_samples_us
from choirbook.documents.content_codings import Coding, compress
from choirbook.documents.rendering import render
from choirbook.http.allowed_hosts import AllowedHosts
from choirbook.http.exchange import Request, Response
from choirbook.http.negotiation import negotiate
from choirbook.http.rest import PREFIX
from choirbook.http.router import Router, Subtree
from choirbook.mcp.messages import Message, decode
from choirbook.mcp.protocol import accept_posted, reply
from choirbook.model import Form, Reading
from choirbook.observe.access_log import AccessLog
from choirbook.observe.batch import ResponseBatch, ResponseBuffer
from choirbook.observe.log_writer import LineWriter
from choirbook.observe.observer import Observer
from choirbook.observe.recorder import Recorder
from choirbook.observe.shared_metrics import SharedMetrics
from choirbook.sources.beneath import Directory
from choirbook.sources.filesystem import FilesystemSource

FORMAT = 1
DEFAULT_BATCHES = 30
DEFAULT_DOCUMENT_BYTES = 20_000

LOG_BATCH = 100
"""Approximate number of lines that are written together under load."""

_BATCH_NS = 1_000_000
"""Duration of a batch in ns: far above the resolution of the clock, short enough to fall between
disturbances."""

Call = Callable[[], object]


class MeasuredStage(msgspec.Struct, frozen=True):
    """One stage of a read."""

    stage: str
    path: str
    """`hit`: part of every read; `miss`: part of reads from the source; `whole`: a complete request."""
    us: float
    """Median of the batches, in microseconds."""
    low_us: float
    high_us: float
    """Upper quartile of the batches, in microseconds; `low_us` is the lower one."""
    measures: str
    """Functions that were called."""


class Stages(msgspec.Struct, frozen=True):
    """Measurements of all stages."""

    format: int
    version: str
    python: str
    document_bytes: int
    batches: int
    stages: tuple[MeasuredStage, ...]


def measure(batches: int = DEFAULT_BATCHES, document_bytes: int = DEFAULT_DOCUMENT_BYTES) -> Stages:
    """Measure every stage.

    Args:
        batches: Number of batches for each result.
        document_bytes: Approximate size of the document.
    """
    with asyncio.Runner(loop_factory=new_loop) as runner:
        found = runner.run(_measure(batches, document_bytes))
    return Stages(FORMAT, __version__, platform.python_version(), document_bytes, batches, tuple(found))


class _Clock:
    """Measures the duration of calls.

    Args:
        batches: Number of batches for each result.
    """

    def __init__(self, batches: int) -> None:
        self._batches = batches
        self._empty_us = 0.0
        self._empty_us = statistics.median(self._batches_us(lambda: None))

    def time(
        self, stage: str, path: str, measures: str, call: Call, *, less_us: float = 0.0, each: int = 1
    ) -> MeasuredStage:
        """Measure one stage.

        Args:
            stage: Name of the stage.
            path: `hit`, `miss` or `whole`.
            measures: Names of the functions that are called.
            call: Calls them.
            less_us: Part of a call that has a row of its own, in microseconds.
            each: Number of reads that one call serves.
        """
        taken_us = [max(0.0, us - less_us) / each for us in self._batches_us(call)]
        return stage_of(stage, path, measures, taken_us)

    def _batches_us(self, call: Call) -> list[float]:
        rounds = 1
        while (taken_ns := _time_ns(call, rounds)) < _BATCH_NS:
            rounds = max(rounds * 2, int(rounds * _BATCH_NS / max(taken_ns, 1)))
        return [_time_ns(call, rounds) / rounds / 1000 - self._empty_us for _ in range(self._batches)]


def stage_of(stage: str, path: str, measures: str, taken_us: list[float]) -> MeasuredStage:
    """Create a row from at least one sample."""
    low, middle, high = (
        statistics.quantiles(taken_us, n=4, method="inclusive") if len(taken_us) > 1 else taken_us * 3
    )
    return MeasuredStage(stage, path, round(middle, 3), round(low, 3), round(high, 3), measures)


def _time_ns(call: Call, rounds: int) -> int:
    start_ns = perf_counter_ns()
    for _ in range(rounds):
        call()
    return perf_counter_ns() - start_ns


async def _measure(batches: int, document_bytes: int) -> list[MeasuredStage]:
    clock = _Clock(batches)
    async with driven_app(document_bytes) as driven:
        stages = [*_protocol(clock, driven), *_reading(clock, driven), *_observing(clock, driven)]
        send_us = await asyncio.to_thread(send_samples_us, batches * 20, document_bytes)
        stages.append(stage_of("send", "hit", "response_bytes of Granian, CPU time", send_us))
        stages += [*_loading(clock, driven), *_compressing(clock, driven), *_whole(clock, driven)]
    return stages


def _protocol(clock: _Clock, driven: DrivenApp) -> list[MeasuredStage]:
    """Measure the stages of MCP: decoding, checks, the reply."""
    modern = driven.drives[2]
    headers = modern.scope.headers
    message = decode(modern.body)
    assert isinstance(message, Message)
    result = driven.app.library.read(driven.info, Form.MCP_MODERN)
    assert isinstance(result, Reading)
    body = result.representation.body
    return [
        clock.time("decode", "hit", "messages.decode", lambda: decode(modern.body)),
        clock.time("check", "hit", "protocol.accept_posted", lambda: accept_posted(message, headers)),
        clock.time("splice", "hit", "protocol.reply", lambda: reply(b"1", body)),
    ]


def _reading(clock: _Clock, driven: DrivenApp) -> list[MeasuredStage]:
    """Measure the stages of a hit: route, negotiate, look-up."""
    raw = driven.drives[0]
    library, uri, media_type = driven.app.library, driven.info.uri, driven.info.media_type
    request = Request("GET", raw.scope.path, "", raw.scope.headers)
    ready = Response(200, [])
    router = Router(AllowedHosts(driven.settings.allowed_hosts, ()), {}, Subtree(PREFIX, lambda _: ready))
    return [
        clock.time("route", "hit", "Router.respond, Edge.check", lambda: router.respond(request)),
        clock.time("negotiate", "hit", "negotiate", lambda: negotiate("text/*", None, None, media_type)),
        clock.time(
            "look-up", "hit", "Library.find, Library.read", lambda: library.read(library.find(uri), Form.RAW)
        ),
    ]


def _observing(clock: _Clock, driven: DrivenApp) -> list[MeasuredStage]:
    """Measure metrics and access log; the log including its writes, in batches, to the null device."""
    library = driven.app.library
    reading = library.read(driven.info, Form.RAW)
    assert isinstance(reading, Reading)
    response = Response(200, [], b"", (reading,))
    descriptor = os.open(os.devnull, os.O_WRONLY)
    writer = LineWriter(descriptor)
    observer = Observer(None, library, writer)
    observer.start(Recorder(SharedMetrics().claim(), library.catalog.rules.types))
    log = AccessLog(writer)
    batch = _batch(response)
    stages = [
        clock.time("record", "hit", "Observer.record, flush", lambda: observer.record(response, monotonic())),
        clock.time(
            "log",
            "hit",
            f"AccessLog.write, {LOG_BATCH} lines at once",
            lambda: log.write(batch, 0.0),
            each=LOG_BATCH,
        ),
    ]
    writer.close()
    os.close(descriptor)
    return stages


def _batch(response: Response) -> ResponseBatch:
    notes = ResponseBuffer(lambda: None, lambda: None, LOG_BATCH)
    for _ in range(LOG_BATCH):
        notes.add(response, monotonic())
    return notes.take()


def _loading(clock: _Clock, driven: DrivenApp) -> list[MeasuredStage]:
    """Measure a miss: open, read, digest, render."""
    settings, info, stamp = driven.settings, driven.info, driven.app.library.stamp
    directory = Directory(str(settings.root))
    source = FilesystemSource(settings.root, max_document_bytes=settings.max_document_bytes)
    content = source.read(info.path, info.version)
    opening = clock.time(
        "open", "miss", "Directory.open (openat2), close", lambda: os.close(directory.open(info.path))
    )
    reading = clock.time(
        "read",
        "miss",
        "FilesystemSource.read less open, page cache warm",
        lambda: source.read(info.path, info.version),
        less_us=opening.us,
    )
    digest = clock.time("digest", "miss", "sha256", lambda: hashlib.sha256(content.data).hexdigest())
    stages = [opening, reading, digest]
    for form in (Form.RAW, Form.JSON, Form.MCP_MODERN, Form.MCP_HANDSHAKE):
        call = _bound(render, info, content, form, stamp)
        stages.append(clock.time(f"render {form}", "miss", "render less digest", call, less_us=digest.us))
    source.close()
    directory.close()
    return stages


def _compressing(clock: _Clock, driven: DrivenApp) -> list[MeasuredStage]:
    data = (driven.settings.root / driven.info.path).read_bytes()
    return [
        clock.time(f"compress {coding}", "miss", "encodings.compress", _bound(compress, data, coding))
        for coding in Coding
    ]


def _whole(clock: _Clock, driven: DrivenApp) -> list[MeasuredStage]:
    """Measure each kind of request from end to end, without a server: every stage of a hit except sending."""
    return [
        clock.time(drive.name, "whole", "Application.begin, a hit", hitting(driven.app, drive))
        for drive in driven.drives
    ]


def _bound(function: Callable[..., Any], *arguments: Any) -> Call:
    return lambda: function(*arguments)
