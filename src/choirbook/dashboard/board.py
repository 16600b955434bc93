"""Ask the workers of one server, for the dashboard, what each alone knows: slow reads, streams, its memory.

Over the workers' calls (`workers/rpc`). Who is asked learns by it that somebody looks.
"""

from __future__ import annotations

from time import monotonic
from typing import assert_never

import msgspec

from choirbook.dashboard.slowest import SlowRead
from choirbook.dashboard.worker import DocumentUse, Held, Worker
from choirbook.workers.rpc import Neighbours

TOPIC = "dashboard"

PATIENCE_S = 0.5
"""How long other workers are waited for each few seconds, while the page stands still."""


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


class Board:
    """Where the workers' knowledge comes together.

    Args:
        worker: What this one knows.
        neighbours: The way to the others.
    """

    def __init__(self, worker: Worker, neighbours: Neighbours) -> None:
        self._worker = worker
        self._neighbours = neighbours
        self.looked_s: float | None = None
        """Monotonic time at which the page of another worker asked last; None for never."""
        neighbours.on_question(TOPIC, self._answer)

    async def slowest_elsewhere(self) -> SlowElsewhere:
        """Return the slowest reads of the other workers, and let them know that somebody looks."""
        answers = await self._neighbours.ask(TOPIC, _encode(_SlowestQuestion()), PATIENCE_S)
        reads = [read for body in answers.bodies for read in _decode_slowest(body)]
        return SlowElsewhere(reads, answers.silent == 0)

    async def held(self) -> list[Held]:
        """Return the documents that workers have in memory, those of several added up."""
        added: dict[str, Held] = {}
        answers = await self._neighbours.ask(TOPIC, _encode(_HeldQuestion()))
        for found in (self._worker.held(), *map(_decode_held, answers.bodies)):
            for each in found:
                before = added.get(each.uri, Held(each.uri, 0, 0))
                added[each.uri] = Held(
                    each.uri, before.forms + each.forms, before.size_bytes + each.size_bytes
                )
        return list(added.values())

    async def use(self, uri: str) -> DocumentUse:
        """Return what all workers together do with a document."""
        answers = await self._neighbours.ask(TOPIC, _encode(_UseQuestion(uri)))
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
_decode_held = msgspec.json.Decoder(list[Held]).decode
_decode_use = msgspec.json.Decoder(DocumentUse).decode
