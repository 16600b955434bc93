"""Control of the caches of all workers of one server: invalidate, warm, report.

Asks the other workers by `workers/rpc`, and announces invalidations to other hosts by `library/cluster`,
which needs Redis.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from time import monotonic

import msgspec
from msgspec import UNSET, UnsetType

from choirbook.library.cluster import Cluster
from choirbook.library.library import Library
from choirbook.library.preload import Preloader
from choirbook.model import Invalidation
from choirbook.runtime.tasks import end_tasks
from choirbook.workers.rpc import WorkerRpc
from choirbook.workers.status import ConnectionState, ServerStatus, WorkerState

_TOPIC = "caches"

_LOOK_S = 0.1
"""Poll interval in seconds while waiting for a preload to end."""


class _InvalidateQuestion(msgspec.Struct, frozen=True, tag="forget"):
    scope: Invalidation


class _WarmQuestion(msgspec.Struct, frozen=True, tag="warm"):
    pass


class _StatusQuestion(msgspec.Struct, frozen=True, tag="look"):
    pass


class CacheControl:
    """Controls the caches of all workers from one of them.

    Args:
        library: Library of this worker.
        preloader: Preloads it.
        cluster: Announces invalidations to other hosts; None without Redis.
        rpc: Calls the other workers.
        flush: Writes pending counters.
    """

    def __init__(
        self,
        library: Library,
        preloader: Preloader,
        cluster: Cluster | None,
        rpc: WorkerRpc,
        flush: Callable[[], None],
    ) -> None:
        self._library = library
        self._preloader = preloader
        self._cluster = cluster
        self._flush = flush
        self._rpc = rpc
        self._tasks: set[asyncio.Task[ServerStatus]] = set()
        rpc.on_question(_TOPIC, self._answer)

    async def stop(self) -> None:
        """Stop asking other workers. They are answered until `WorkerRpc.stop`."""
        await end_tasks(*self._tasks)

    async def invalidate(self, scope: Invalidation) -> ServerStatus:
        """Invalidate content here, in the other workers, and on the other hosts.

        Args:
            scope: See `Library.checked`.

        Returns:
            The state of this server's workers after all of them did it. Other hosts are not waited for.

        Raises:
            RequestError: See `Library.checked`.
        """
        scope = self._library.checked(scope)
        forgotten = await self._library.forget(scope)
        if self._cluster is not None:
            self._cluster.announce_invalidation(scope)
        others = await self._ask_to_invalidate(scope)
        return ServerStatus((self._state(forgotten), *others.workers), others.silent)

    async def warm(self, wait_s: float) -> ServerStatus:
        """Preload the library in every worker, as far as there is room.

        Args:
            wait_s: Maximum wait in seconds. The workers continue after it.
        """
        end_s = monotonic() + wait_s
        server_status = await self._ask(_WarmQuestion())
        while server_status.is_warming and monotonic() < end_s:
            await asyncio.sleep(_LOOK_S)
            server_status = await self.status()
        return server_status

    async def status(self) -> ServerStatus:
        """Ask every worker for the state of its cache."""
        return await self._ask(_StatusQuestion())

    async def _ask_to_invalidate(self, scope: Invalidation) -> ServerStatus:
        """Ask the other workers to invalidate; the question is sent even if the caller is cancelled."""
        asking = asyncio.create_task(
            self._ask_others(_InvalidateQuestion(scope)), name="choirbook-invalidation"
        )
        self._tasks.add(asking)
        asking.add_done_callback(self._tasks.discard)
        return await asyncio.shield(asking)

    async def _ask(self, question: _WarmQuestion | _StatusQuestion) -> ServerStatus:
        own = await self._do(question)
        others = await self._ask_others(question)
        return ServerStatus((own, *others.workers), others.silent)

    async def _ask_others(
        self, question: _InvalidateQuestion | _WarmQuestion | _StatusQuestion
    ) -> ServerStatus:
        answers = await self._rpc.ask(_TOPIC, msgspec.json.encode(question))
        return ServerStatus(tuple(_decode_state(body) for body in answers.bodies), answers.silent)

    async def _answer(self, question: bytes) -> bytes:
        return msgspec.json.encode(await self._do(_decode_question(question)))

    async def _do(self, question: _InvalidateQuestion | _WarmQuestion | _StatusQuestion) -> WorkerState:
        forgotten: int | UnsetType = UNSET
        match question:
            case _InvalidateQuestion(scope=scope):
                forgotten = await self._library.forget(scope)
            case _WarmQuestion():
                self._preloader.start()
            case _StatusQuestion():
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
            watching=library.follower.watching,
            redis=ConnectionState.OFF if shared is None else _link(is_up=shared.connection.is_up),
            feed=ConnectionState.OFF if shared is None else _link(is_up=shared.feed.is_up),
            feed_losses=0 if shared is None else shared.feed.losses,
            forgotten=forgotten,
            warming=self._preloader.progress,
        )


def _link(*, is_up: bool) -> ConnectionState:
    return ConnectionState.UP if is_up else ConnectionState.DOWN


_decode_state = msgspec.json.Decoder(WorkerState).decode
_decode_question = msgspec.json.Decoder(_InvalidateQuestion | _WarmQuestion | _StatusQuestion).decode
