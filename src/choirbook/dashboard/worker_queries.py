"""Queries to all workers of one server, for the dashboard: slow reads, streams, documents in memory.

Uses the calls between workers (`workers/rpc`). A worker that is asked learns that a page is open.
"""

from __future__ import annotations

from time import monotonic
from typing import assert_never

import msgspec

from choirbook.dashboard.slowest import SlowRead
from choirbook.dashboard.worker_report import CachedDocument, DocumentUse, WorkerReport
from choirbook.workers.rpc import WorkerRpc

TOPIC = "dashboard"

PATIENCE_S = 0.5
"""Maximum wait for other workers, in seconds, every few seconds; the page is not updated meanwhile."""


class _SlowestQuestion(msgspec.Struct, frozen=True, tag="slowest"):
    pass


class _HeldQuestion(msgspec.Struct, frozen=True, tag="held"):
    pass


class _UseQuestion(msgspec.Struct, frozen=True, tag="use"):
    uri: str


_AnyQuestion = _SlowestQuestion | _HeldQuestion | _UseQuestion


class SlowElsewhere(msgspec.Struct, frozen=True):
    """The slowest reads of the other workers."""

    reads: list[SlowRead]
    is_complete: bool
    """Whether all of them answered."""


class WorkerQueries:
    """Asks this worker and all others.

    Args:
        worker: Report of this worker.
        rpc: Calls the other workers.
    """

    def __init__(self, worker: WorkerReport, rpc: WorkerRpc) -> None:
        self._worker = worker
        self._rpc = rpc
        self.looked_s: float | None = None
        """Monotonic time at which the page of another worker asked last; None for never."""
        rpc.on_question(TOPIC, self._answer)

    async def slowest_elsewhere(self) -> SlowElsewhere:
        """Return the slowest reads of the other workers, which also shows them that a page is open."""
        answers = await self._rpc.ask(TOPIC, _encode(_SlowestQuestion()), PATIENCE_S)
        reads = [read for body in answers.bodies for read in _decode_slowest(body)]
        return SlowElsewhere(reads, answers.silent == 0)

    async def held(self) -> list[CachedDocument]:
        """Return the documents that workers have in memory, summed over the workers."""
        added: dict[str, CachedDocument] = {}
        answers = await self._rpc.ask(TOPIC, _encode(_HeldQuestion()))
        for found in (self._worker.held(), *map(_decode_held, answers.bodies)):
            for each in found:
                before = added.get(each.uri, CachedDocument(each.uri, 0, 0))
                added[each.uri] = CachedDocument(
                    each.uri, before.forms + each.forms, before.size_bytes + each.size_bytes
                )
        return list(added.values())

    async def use(self, uri: str) -> DocumentUse:
        """Return the use of a document by all workers together."""
        answers = await self._rpc.ask(TOPIC, _encode(_UseQuestion(uri)))
        found = [self._worker.use(uri), *map(_decode_use, answers.bodies)]
        return DocumentUse(
            sum(each.streams for each in found),
            sum(each.workers for each in found),
            sum(each.forms for each in found),
        )

    async def _answer(self, question: bytes) -> bytes:
        match _decode_question(question):
            case _SlowestQuestion():
                self.looked_s = monotonic()
                return _encode(self._worker.slowest())
            case _HeldQuestion():
                return _encode(self._worker.held())
            case _UseQuestion(uri=uri):
                return _encode(self._worker.use(uri))
            case _ as unknown:
                assert_never(unknown)


_encode = msgspec.json.encode
_decode_question = msgspec.json.Decoder(_AnyQuestion).decode
_decode_slowest = msgspec.json.Decoder(list[SlowRead]).decode
_decode_held = msgspec.json.Decoder(list[CachedDocument]).decode
_decode_use = msgspec.json.Decoder(DocumentUse).decode
