"""Control of the caches of all workers of one server: invalidate, preload, report their state.

Connects a library with the other workers (`neighbours`). Other hosts learn of an invalidation through the
feed (`sharing`), if Redis is configured.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import msgspec
from msgspec import UNSET, UnsetType

from choirbook.library.library import Library
from choirbook.library.preload import Preloading
from choirbook.model import Invalidation
from choirbook.runtime.tasks import end_tasks
from choirbook.workers.rpc import Neighbours
from choirbook.workers.status import Crew, Link, WorkerState

_LOOK_S = 0.1
"""Poll interval in seconds while waiting for a preload to end."""


class _Forget(msgspec.Struct, frozen=True, tag="forget"):
    scope: Invalidation


class _Warm(msgspec.Struct, frozen=True, tag="warm"):
    pass


class _Look(msgspec.Struct, frozen=True, tag="look"):
    pass


class Caretaker:
    """Cache control of one worker.

    Args:
        library: Library of this worker. The other workers forget what is invalidated there.
        preloading: Preloads the library.
        directory: Shared by the workers of this server; None if there is one process only.
        flush: Writes pending counters.
    """

    def __init__(
        self, library: Library, preloading: Preloading, directory: Path | None, flush: Callable[[], None]
    ) -> None:
        self._library = library
        self._preloading = preloading
        self._flush = flush
        self._neighbours = Neighbours(directory, self._answer)
        self._telling: asyncio.Task[Crew] | None = None
        self._tasks: set[asyncio.Task[Crew]] = set()
        library.on_invalidation(self._on_invalidation)

    async def start(self) -> None:
        """Start to receive from the other workers, on the running event loop."""
        await self._neighbours.start()

    async def stop(self) -> None:
        """Stop receiving from the other workers."""
        await end_tasks(*self._tasks)
        await self._preloading.stop()
        await self._neighbours.stop()

    async def invalidate(self, scope: Invalidation) -> Crew:
        """Make every worker read content from the source again, and wait until all are notified.

        Args:
            scope: See `Library.invalidate`.

        Raises:
            RequestError: See `Library.invalidate`.
        """
        forgotten = await self._library.invalidate(scope)
        # The library calls its listener last, and nothing has run since: the task belongs to this scope.
        assert self._telling is not None, "an invalidation is told"
        others = await asyncio.shield(self._telling)
        return Crew((self._state(forgotten), *others.workers), others.silent)

    async def warm(self, wait_s: float) -> Crew:
        """Make every worker load the content that it does not hold, as far as there is room.

        Args:
            wait_s: Maximum wait in seconds. The workers continue after it.
        """
        end_s = monotonic() + wait_s
        crew = await self._ask(_Warm())
        while crew.is_warming and monotonic() < end_s:
            await asyncio.sleep(_LOOK_S)
            crew = await self.look()
        return crew

    async def look(self) -> Crew:
        """Ask every worker for the state of its cache."""
        return await self._ask(_Look())

    def _on_invalidation(self, scope: Invalidation) -> None:
        self._telling = asyncio.create_task(self._ask_others(_Forget(scope)), name="choirbook-forgetting")
        self._tasks.add(self._telling)
        self._telling.add_done_callback(self._tasks.discard)

    async def _ask(self, question: _Warm | _Look) -> Crew:
        own = await self._do(question)
        others = await self._ask_others(question)
        return Crew((own, *others.workers), others.silent)

    async def _ask_others(self, question: _Forget | _Warm | _Look) -> Crew:
        answers = await self._neighbours.ask(msgspec.json.encode(question))
        return Crew(tuple(_decode_state(body) for body in answers.bodies), answers.silent)

    async def _answer(self, question: bytes) -> bytes:
        return msgspec.json.encode(await self._do(_decode_question(question)))

    async def _do(self, question: _Forget | _Warm | _Look) -> WorkerState:
        forgotten: int | UnsetType = UNSET
        match question:
            case _Forget(scope=scope):
                forgotten = await self._library.forget(scope)
            case _Warm():
                self._preloading.start()
            case _Look():
                self._flush()
        return self._state(forgotten)

    def _state(self, forgotten: int | UnsetType) -> WorkerState:
        library, shared = self._library, self._library.shared
        memory = library.memory
        return WorkerState(
            pid=os.getpid(),
            entries=len(memory),
            bytes=memory.size_bytes,
            max_entries=memory.max_resources,
            max_bytes=memory.max_bytes,
            evictions=memory.evictions.total(),
            resources=len(library.catalog),
            generation=library.catalog.generation,
            ready=library.is_ready,
            watching=library.freshness.watching,
            redis=Link.OFF if shared is None else _link(is_up=shared.link.is_up),
            feed=Link.OFF if shared is None else _link(is_up=shared.feed.is_up),
            feed_losses=0 if shared is None else shared.feed.losses,
            forgotten=forgotten,
            warming=self._preloading.progress,
        )


def _link(*, is_up: bool) -> Link:
    return Link.UP if is_up else Link.DOWN


_decode_state = msgspec.json.Decoder(WorkerState).decode
_decode_question = msgspec.json.Decoder(_Forget | _Warm | _Look).decode
