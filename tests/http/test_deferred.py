"""`then`: what follows an answer that has to be awaited."""

import asyncio
import gc
import json
from collections.abc import Coroutine
from typing import Any

import pytest

from choirbook.bench.driver import DrivenHeaders
from choirbook.errors import Overloaded, RequestError
from choirbook.http.deferred import then
from choirbook.http.exchange import Request
from tests.support.apps import Served

CORE_PATH, CORE_URI = "/mcp/resources/sdlc/core", "mcp://resources/sdlc/core"
CALLS: dict[str, dict[str, Any]] = {
    "resources/read": {"uri": CORE_URI},
    "tools/call": {"name": "read", "arguments": {"uri": CORE_URI}},
}


def get(query: str = "", method: str = "GET") -> Request:
    return Request(method, CORE_PATH, query, DrivenHeaders(host="localhost"))


def call(method: str) -> Request:
    headers = DrivenHeaders(host="localhost")
    headers |= {"content-type": "application/json"}
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": CALLS[method]}
    return Request("POST", "/mcp", "", headers, json.dumps(message).encode())


async def later(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def failing() -> int:
    await asyncio.sleep(0)
    raise Overloaded("Too many.")


def failing_later(_: int) -> int | Coroutine[Any, Any, int]:
    return failing()


def doubled(value: int) -> int:
    return 2 * value


def doubled_later(value: int) -> int | Coroutine[Any, Any, int]:
    return later(2 * value)


def refusing(_: int) -> int:
    raise Overloaded("Too many.")


def code(error: RequestError) -> int:
    return len(error.message)


async def test_an_answer_that_waits_is_followed_when_it_is_there() -> None:
    assert await then(later(3), doubled) == 6
    assert await then(then(later(3), doubled), doubled) == 12
    assert await asyncio.create_task(then(later(3), doubled)) == 6


async def test_what_follows_may_wait_too() -> None:
    assert await then(later(3), doubled_later) == 6


async def test_an_error_of_the_wait_or_of_what_follows_is_answered() -> None:
    assert await then(failing(), doubled, code) == len("Too many.")
    assert await then(later(3), refusing, code) == len("Too many.")
    assert await then(later(3), failing_later, code) == len("Too many.")


async def test_an_error_that_nobody_answers_goes_through() -> None:
    with pytest.raises(Overloaded):
        await then(failing(), doubled)
    with pytest.raises(Overloaded):
        await then(then(failing(), doubled), doubled)


async def test_a_cancelled_wait_ends_what_it_waits_for() -> None:
    ended = asyncio.Event()

    async def endless() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return 0

    task = asyncio.create_task(then(endless(), doubled))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


# Warnings are errors, also those of coroutines that nobody awaited.
def test_closed_before_it_began_it_closes_what_it_would_wait_for() -> None:
    then(then(later(3), doubled), doubled_later).close()


@pytest.mark.parametrize(
    "request_",
    [get(), get(method="HEAD"), get("format=outline"), *map(call, CALLS)],
    ids=["GET", "HEAD", "outline", *CALLS],
)
async def test_a_read_that_is_refused_its_wait_leaves_no_coroutine_behind(
    served: Served, request_: Request
) -> None:
    waiting = served.app.respond(request_)
    assert isinstance(waiting, Coroutine)
    waiting.close()
    del waiting
    gc.collect()
