"""What watches one worker, as its settings and `OTEL_*` ask for: figures, log lines, traces, who reads.

What is not asked for is not there: no read asks whether it is to be noted.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from choirbook.http.exchange import Asked, Handler, Operation, Response
from choirbook.http.negotiation import Exposition
from choirbook.http.router import Router
from choirbook.http.server_timing import timed
from choirbook.library.library import Library
from choirbook.mcp.dispatch import Calls, Dispatcher
from choirbook.mcp.sessions.http import Sessions
from choirbook.mcp.streams import Streams
from choirbook.observe.access_log import AccessLog
from choirbook.observe.attribution import Attribution
from choirbook.observe.cells import Cells
from choirbook.observe.exposition import exposition
from choirbook.observe.log_writer import LineWriter
from choirbook.observe.metrics import HITS, MISSES, STALE
from choirbook.observe.observer import Observer
from choirbook.observe.operator_log import is_for_people
from choirbook.observe.push_counts import record_pushing
from choirbook.observe.recorder import Recorder
from choirbook.observe.refusals import record_shares
from choirbook.observe.totals import totals
from choirbook.observe.tracing.configuration import plan_of
from choirbook.observe.tracing.tracer import Tracing
from choirbook.observe.vitals import Vitals
from choirbook.runtime.quotas import Shares
from choirbook.runtime.threads import Threads
from choirbook.settings import Settings
from choirbook.usage.ledger import UsageLedger

if TYPE_CHECKING:
    from choirbook.admin.answers import Counts


class Telemetry:
    """Watches a worker, and tells.

    Args:
        settings: See `Settings`.
        version: Of the server.
        library: What is read.
        usage: Where it is noted what is read, and by whom.
        threads: Where blocking calls run.
        cells: Where figures go, shared with the other workers.
        writer: Where log lines go.
    """

    def __init__(
        self,
        settings: Settings,
        version: str,
        library: Library,
        usage: UsageLedger,
        threads: Threads,
        cells: Cells,
        writer: LineWriter,
    ) -> None:
        self._settings = settings
        self._version = version
        self._library = library
        self._usage = usage
        self._threads = threads
        # Of its own: while all threads of the library wait for a source that hangs, figures matter most.
        self._exposing = Threads(1)
        self._cells = cells
        self._plan = plan_of(os.environ)
        self.tracing: Tracing | None = None
        keeps_asked = settings.counts_clients or settings.log_request_ids
        log = _access_log(settings, writer)
        self.observer = Observer(log, library, writer, keeps_asked=keeps_asked)
        self._vitals = Vitals(self.observer.refresh_gauges)
        self._has_figures = settings.metrics or bool(settings.dashboard)
        is_counted = self._has_figures or settings.usage is not None or settings.counts_clients
        is_told = is_counted or settings.access_log or self._plan is not None
        # Where nothing is to be told, nothing is noted: no read asks whether it should be.
        self.record = self.observer.record if is_told else _pass_over

    def watch_clients(self, streams: Streams, sessions: Sessions, shares: Shares) -> None:
        """Have it noted who reads, as far as that is to be known, and what clients are told."""
        attribution = Attribution(self._usage, sessions)
        take = attribution.take if self._settings.counts_clients else attribution.take_reads
        self.observer.also_batches(take)
        self.observer.also(partial(record_pushing, streams, sessions))
        self.observer.also(partial(record_shares, shares, sessions))

    def watch_answers(self, router: Router, dispatcher: Dispatcher) -> tuple[Handler, Calls]:
        """Return what answers HTTP requests, and what the calls that come through a pipe."""
        respond: Handler = router.respond
        if self._settings.server_timing:
            respond = timed(respond)
        if self._plan is None:
            return respond, dispatcher
        slow_s, route_of = self._settings.trace_slow_s, router.route_of
        tracing = Tracing(self._plan, slow_s, self._library, self._threads, route_of, self._version)
        self.observer.also_batches(tracing.take)
        self.observer.also(tracing.record)
        self.tracing = tracing
        return tracing.before(respond), tracing.before_calls(dispatcher)

    async def start(self, operations: Iterable[Operation]) -> None:
        """Begin to watch, on the running event loop.

        Args:
            operations: Of the protocol, as they are told of when they go well.
        """
        recorder = None
        if self._has_figures:
            recorder = Recorder(self._cells.claim(), self._library.catalog.rules.types, tuple(operations))
            self.observer.start(recorder)
            self._vitals.start(recorder)
        if self.tracing is not None:
            await self.tracing.start(recorder)

    async def stop(self) -> None:
        """Work up what is pending, and watch no longer."""
        self._vitals.stop()
        self.observer.stop()
        self._exposing.close()
        if self.tracing is not None:
            await self.tracing.stop()

    async def expose(self, format_: Exposition) -> bytes:
        """Return the figures of all workers."""
        self._vitals.write()
        self.observer.flush()
        # It reads /proc.
        return await self._exposing.run(exposition, self._cells, format_)

    async def count(self) -> Counts | None:
        """Return what all workers answered from where; None where there are no metrics."""
        # As the admin surface, which is what asks.
        from choirbook.admin.answers import Counts

        if not self._settings.metrics:
            return None
        # Not on the threads of the library, all of which may wait for a source that hangs.
        found = await asyncio.to_thread(totals, self._cells)
        return Counts(found[HITS], found[MISSES], found[STALE])


def _pass_over(_: Response, __: float, ___: Asked = None) -> None:
    """Take no note of a response."""


def _access_log(settings: Settings, writer: LineWriter) -> AccessLog | None:
    if not settings.access_log:
        return None
    return AccessLog(
        writer,
        settings.log_hits,
        with_ids=settings.log_request_ids,
        for_people=is_for_people(settings.log_format),
    )
