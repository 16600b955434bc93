"""Requests on their way from Granian's threads to the event loop; tests/servers tests it with Granian."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, cast

import pytest

from choirbook.servers.granian.scheduler import RequestQueue
from choirbook.servers.rsgi.server import Begin, Finish, RsgiExchange
from tests.support.waiting import eventually


class Exchange:
    """A request that notes what becomes of it."""

    def __init__(self) -> None:
        self.outcomes: list[BaseException | None] = []
        self.task: asyncio.Task[None] | None = None

    def taskref(self, task: asyncio.Task[None]) -> None:
        self.task = task

    def done(self) -> None:
        self.outcomes.append(None)

    def err(self, error: BaseException) -> None:
        self.outcomes.append(error)


def queue(begin: Begin) -> RequestQueue:
    return RequestQueue(begin, asyncio.get_running_loop())


def put(into: RequestQueue, exchange: Exchange) -> None:
    into.put(cast("RsgiExchange", exchange))


async def test_each_request_is_begun_once_on_the_event_loop_whichever_threads_they_come_from() -> None:
    begun: list[tuple[object, int]] = []
    requests = queue(lambda exchange, _: begun.append((exchange, threading.get_ident())))
    exchanges = [Exchange() for _ in range(4000)]

    def put_some(some: list[Exchange]) -> None:
        for exchange in some:
            put(requests, exchange)

    threads = [threading.Thread(target=put_some, args=(exchanges[start::8],)) for start in range(8)]
    for thread in threads:
        thread.start()
    await eventually(lambda: len(begun) >= len(exchanges))
    for thread in threads:
        thread.join()
    assert {id(exchange) for exchange, _ in begun} == set(map(id, exchanges))
    assert len(begun) == len(exchanges)
    assert {thread for _, thread in begun} == {threading.get_ident()}


async def test_others_have_their_turn_while_requests_keep_coming() -> None:
    is_over = False

    def begin(exchange: RsgiExchange, _: Finish) -> None:
        if not is_over:
            requests.put(exchange)

    requests = queue(begin)
    put(requests, Exchange())
    async with asyncio.timeout(10):
        await asyncio.sleep(0.01)
    is_over = True


async def test_a_request_that_cannot_be_begun_is_told_so_and_takes_no_other_with_it() -> None:
    fault, sound = Exchange(), Exchange()
    begun: list[object] = []

    def begin(exchange: RsgiExchange, _: Finish) -> None:
        if cast("object", exchange) is fault:
            raise ValueError("no")
        begun.append(exchange)

    requests = queue(begin)
    put(requests, fault)
    put(requests, sound)
    await eventually(lambda: begun == [sound])
    assert [type(outcome) for outcome in fault.outcomes] == [ValueError]


@pytest.mark.parametrize("error", [None, ValueError("no"), asyncio.CancelledError()])
async def test_a_request_that_has_to_wait_is_done_when_its_coroutine_is(error: BaseException | None) -> None:
    async def answering() -> None:
        await asyncio.sleep(0)
        if error is not None:
            raise error

    def begin(exchange: RsgiExchange, finish: Finish) -> None:
        coroutine: Coroutine[Any, Any, None] = answering()
        finish(exchange, coroutine)

    exchange = Exchange()
    requests = queue(begin)
    put(requests, exchange)
    await eventually(lambda: exchange.outcomes)
    assert exchange.outcomes == [error]
