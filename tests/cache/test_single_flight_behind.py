"""Loads that are begun for nobody in particular."""

from __future__ import annotations

import asyncio

import pytest

from choirbook.cache.single_flight import SingleFlight
from tests.support.waiting import eventually


async def test_a_load_that_is_begun_twice_runs_once_and_can_be_joined() -> None:
    flights: SingleFlight[str, str] = SingleFlight()
    gate, begun = asyncio.Event(), list[int]()

    async def load() -> str:
        begun.append(1)
        await gate.wait()
        return "bytes"

    flights.begin("a", load)
    flights.begin("a", load)
    waiter = asyncio.create_task(flights.join("a", load))
    await eventually(lambda: flights.joined == 1)
    gate.set()
    assert await waiter == "bytes"
    assert (begun, len(flights)) == ([1], 0)


async def test_a_load_for_nobody_that_fails_is_silent_and_can_be_tried_again() -> None:
    flights: SingleFlight[str, str] = SingleFlight()
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    async def fail() -> str:
        raise OSError("disk")

    async def load() -> str:
        return "bytes"

    flights.begin("a", fail)
    await eventually(lambda: len(flights) == 0)
    assert await flights.join("a", load) == "bytes"
    assert complaints == []


async def test_one_who_hung_up_leaves_the_load_to_those_who_come_later() -> None:
    flights: SingleFlight[str, str] = SingleFlight()
    gate = asyncio.Event()

    async def load() -> str:
        await gate.wait()
        return "bytes"

    first = asyncio.create_task(flights.join("a", load))
    await eventually(lambda: len(flights) == 1)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(flights.join("a", load))
    await eventually(lambda: flights.joined == 1)
    gate.set()
    assert await second == "bytes"
