"""Control of the caches of all workers of one server: invalidate, warm, report.

Couples a library with the other workers' (`workers/rpc`) and, for invalidations, with the other hosts
(`library/cluster`); without Redis there are none.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from time import monotonic

import msgspec
from msgspec import UNSET, UnsetType

from choirbook.library.cluster import Sharing
from choirbook.library.library import Library
from choirbook.library.preload import Preloading
from choirbook.model import Invalidation
from choirbook.runtime.tasks import end_tasks
from choirbook.workers.rpc import Neighbours
from choirbook.workers.status import Crew, LinkState, WorkerState

_TOPIC = "caches"

_LOOK_S = 0.1
"""Poll interval in seconds while waiting for a preload to end."""


class _Forget(msgspec.Struct, frozen=True, tag="forget"):
    scope: Invalidation


class _Warm(msgspec.Struct, frozen=True, tag="warm"):
    pass


class _LookQuestion(msgspec.Struct, frozen=True, tag="look"):
    pass


class Caretaker:
    """One worker's part in looking after all.

    Args:
        library: Its library.
        preloading: Loads ahead.
        sharing: Tells other hosts what is invalidated; None without Redis.
        neighbours: The way to the other workers.
        flush: Has counters written that wait to be.
    """

    def __init__(
        self,
        library: Library,
        preloading: Preloading,
        sharing: Sharing | None,
        neighbours: Neighbours,
        flush: Callable[[], None],
    ) -> None:
        self._library = library
        self._preloading = preloading
        self._sharing = sharing
        self._flush = flush
        self._neighbours = neighbours
        self._tasks: set[asyncio.Task[Crew]] = set()
        neighbours.on_question(_TOPIC, self._answer)

    async def stop(self) -> None:
        """Stop asking other workers. They are answered until `Neighbours.stop`."""
        await end_tasks(*self._tasks)

    async def invalidate(self, scope: Invalidation) -> Crew:
        """Read content from the source again: here, on the other hosts, and in the other workers.

        Args:
            scope: See `Library.checked`.

        Returns:
            What the workers of this server hold, once all of them know. Other hosts are not waited for.

        Raises:
            RequestError: See `Library.checked`.
        """
        scope = self._library.checked(scope)
        forgotten = await self._library.forget(scope)
        if self._sharing is not None:
            self._sharing.tell_invalidated(scope)
        others = await self._ask_to_forget(scope)
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
        return await self._ask(_LookQuestion())

    async def _ask_to_forget(self, scope: Invalidation) -> Crew:
        """Ask the other workers to forget; the question goes out even if its asker is cancelled meanwhile."""
        asking = asyncio.create_task(self._ask_others(_Forget(scope)), name="choirbook-invalidation")
        self._tasks.add(asking)
        asking.add_done_callback(self._tasks.discard)
        return await asyncio.shield(asking)

    async def _ask(self, question: _Warm | _LookQuestion) -> Crew:
        own = await self._do(question)
        others = await self._ask_others(question)
        return Crew((own, *others.workers), others.silent)

    async def _ask_others(self, question: _Forget | _Warm | _LookQuestion) -> Crew:
        answers = await self._neighbours.ask(_TOPIC, msgspec.json.encode(question))
        return Crew(tuple(_decode_state(body) for body in answers.bodies), answers.silent)

    async def _answer(self, question: bytes) -> bytes:
        return msgspec.json.encode(await self._do(_decode_question(question)))

    async def _do(self, question: _Forget | _Warm | _LookQuestion) -> WorkerState:
        forgotten: int | UnsetType = UNSET
        match question:
            case _Forget(scope=scope):
                forgotten = await self._library.forget(scope)
            case _Warm():
                self._preloading.start()
            case _LookQuestion():
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
            redis=LinkState.OFF if shared is None else _link(is_up=shared.link.is_up),
            feed=LinkState.OFF if shared is None else _link(is_up=shared.feed.is_up),
            feed_losses=0 if shared is None else shared.feed.losses,
            forgotten=forgotten,
            warming=self._preloading.progress,
        )


def _link(*, is_up: bool) -> LinkState:
    return LinkState.UP if is_up else LinkState.DOWN


_decode_state = msgspec.json.Decoder(WorkerState).decode
_decode_question = msgspec.json.Decoder(_Forget | _Warm | _LookQuestion).decode
