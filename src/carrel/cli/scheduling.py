"""Hands requests to the app by a call, where Granian by itself makes coroutines of each.

Granian's threads take requests from connections, and its scheduler has the event loop run two coroutines and
a step object for each. A hit needs none of that: it is answered in one call. So the scheduler here queues the
request, wakes the loop once for all that wait, and lets the app begin with each; only what has to wait is a
coroutine, which Granian runs as ever (docs/adr/0014).

Knows insides of Granian, as `supervising` does: `_futures`, `CallbackScheduler`, `mp._new_cbscheduler`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from importlib import import_module
from typing import Any

from carrel.servers.rsgi import Begin, RsgiExchange

# As values: of insides there are no types.
_futures: Any = import_module("granian._futures")
_granian: Any = import_module("granian._granian")
_mp: Any = import_module("granian.server.mp")


def hand_over(begin: Begin) -> None:
    """Have the worker that starts in this process hand its requests to a function.

    Args:
        begin: See `RsgiServer.begin`.
    """
    _mp._new_cbscheduler = partial(_scheduler, begin)  # noqa: SLF001 - see above


def _scheduler(
    begin: Begin,
    loop: asyncio.AbstractEventLoop,
    callback: Callable[..., Any],
    impl_asyncio: bool,  # noqa: ARG001 - how Granian runs coroutines; it calls this
) -> Any:
    """Return what Granian gives its requests to, in place of its own."""
    scheduler = _granian.CallbackScheduler(
        loop,
        callback,
        _futures._CBSchedulerTask(),  # noqa: SLF001
        partial(_futures._aio_taskenter, loop),  # noqa: SLF001
        partial(_futures._aio_taskleave, loop),  # noqa: SLF001
    )
    scheduler._schedule_fn = Queue(begin, loop, scheduler._run).put  # noqa: SLF001
    return scheduler


class Queue:
    """Requests on their way from Granian's threads to the event loop.

    Args:
        begin: Called with each on the event loop.
        loop: The event loop.
        run: Runs a coroutine on it.
    """

    def __init__(
        self,
        begin: Begin,
        loop: asyncio.AbstractEventLoop,
        run: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._begin = begin
        self._loop = loop
        self._run = run
        self._waiting: deque[RsgiExchange] = deque()
        self._is_awake = False

    def put(self, exchange: RsgiExchange) -> None:
        """Have the event loop begin with a request; on any thread."""
        self._waiting.append(exchange)
        if not self._is_awake:
            self._is_awake = True
            self._loop.call_soon_threadsafe(self._work)

    def _work(self) -> None:
        waiting, begin, finish = self._waiting, self._begin, self._finish
        # Before the first is taken: whoever puts one in later sees it, and wakes the loop again.
        self._is_awake = False
        # What is there now, and not what comes meanwhile: timers and answers that waited have their turn.
        for _ in range(len(waiting)):
            exchange = waiting.popleft()
            try:
                begin(exchange, finish)
            except Exception as error:  # noqa: BLE001 - logged by Granian; others wait behind this one
                exchange.err(error)
        if waiting and not self._is_awake:
            self._is_awake = True
            self._loop.call_soon(self._work)

    def _finish(self, exchange: RsgiExchange, answering: Coroutine[Any, Any, None]) -> None:
        self._run(_finished(exchange, answering))


async def _finished(exchange: RsgiExchange, answering: Coroutine[Any, Any, None]) -> None:
    try:
        await answering
    except BaseException as error:  # noqa: BLE001 - as Granian has it: a cancelled answer ends with its request
        exchange.err(error)
    else:
        exchange.done()
