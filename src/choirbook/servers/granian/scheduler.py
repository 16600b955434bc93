"""Hands requests to the app by a call, where Granian by itself makes coroutines of each.

Granian's threads take requests from connections, and its scheduler has the event loop run a task of two
coroutines for each. A hit needs none of that: it is answered in one call. So the scheduler here queues the
request, wakes the loop once for all that wait, and lets the app begin with each; only what waits becomes a
task, as all do by Granian's own scheduler (docs/adr/0014).

Knows insides of Granian, as `supervising` does: `CallbackScheduler`, `mp._new_cbscheduler`, `taskref`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from importlib import import_module
from typing import Any

from choirbook.servers.rsgi.server import Begin, RsgiExchange

# As values: of insides there are no types.
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
    # What else it asks for is how it would run coroutines itself.
    scheduler = _granian.CallbackScheduler(loop, callback, None, None, None)
    scheduler._schedule_fn = Queue(begin, loop).put  # noqa: SLF001
    return scheduler


class Queue:
    """Requests on their way from Granian's threads to the event loop.

    Args:
        begin: Called with each on the event loop.
        loop: The event loop.
    """

    def __init__(self, begin: Begin, loop: asyncio.AbstractEventLoop) -> None:
        self._begin = begin
        self._loop = loop
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
        # The request keeps its task, and the task the request: no loop keeps tasks alive.
        exchange.taskref(self._loop.create_task(_finished(exchange, answering)))


async def _finished(exchange: RsgiExchange, answering: Coroutine[Any, Any, None]) -> None:
    try:
        await answering
    except BaseException as error:  # noqa: BLE001 - as Granian has it: a cancelled answer ends with its request
        exchange.err(error)
    else:
        exchange.done()
