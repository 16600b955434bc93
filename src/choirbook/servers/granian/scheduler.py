"""Request scheduler that calls the app directly, where Granian's own creates coroutines for each request.

Granian's threads read requests from connections, and its scheduler makes the event loop run a task of two
coroutines for each. A hit needs none of that: it is answered in one call. So this scheduler queues the
request, wakes the loop once for all that are queued, and calls the app for each; only requests that must wait
become a task, as all do with Granian's own scheduler (docs/adr/0014).

Depends on private parts of Granian, like `supervisor`: `CallbackScheduler`, `mp._new_cbscheduler`,
`taskref`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from importlib import import_module
from typing import Any

from choirbook.servers.rsgi.server import Begin, RsgiExchange

# As values: private parts have no types.
_granian: Any = import_module("granian._granian")
_mp: Any = import_module("granian.server.mp")


def install_scheduler(begin: Begin) -> None:
    """Make the worker that starts in this process pass its requests to a function.

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
    """Return the object that Granian passes its requests to, replacing its own."""
    # Its other arguments tell how it would run coroutines itself.
    scheduler = _granian.CallbackScheduler(loop, callback, None, None, None)
    scheduler._schedule_fn = RequestQueue(begin, loop).put  # noqa: SLF001
    return scheduler


class RequestQueue:
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
        """Queue a request for the event loop; may be called on any thread."""
        self._waiting.append(exchange)
        if not self._is_awake:
            self._is_awake = True
            self._loop.call_soon_threadsafe(self._work)

    def _work(self) -> None:
        waiting, begin, finish = self._waiting, self._begin, self._finish
        # Before the first is taken: a thread that adds one later sees this, and wakes the loop again.
        self._is_awake = False
        # Only those queued now, not those that arrive meanwhile: timers and pending answers get their turn.
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
        # The request keeps its task, and the task the request: the event loop keeps no tasks alive.
        exchange.taskref(self._loop.create_task(_finished(exchange, answering)))


async def _finished(exchange: RsgiExchange, answering: Coroutine[Any, Any, None]) -> None:
    try:
        await answering
    except BaseException as error:  # noqa: BLE001 - as Granian has it: a cancelled answer ends with its request
        exchange.err(error)
    else:
        exchange.done()
