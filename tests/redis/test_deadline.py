"""When a call ends for its deadline, on a real event loop."""

from __future__ import annotations

import asyncio
import time

import pytest

from choirbook.redis.deadline import STALL_S, Deadline

FOR_S = 0.05


async def answered(after_s: float) -> str:
    """Answer from a thread, as another process does: while this one's loop is held up, too."""
    await asyncio.to_thread(time.sleep, after_s)
    return "answer"


def hold_up(for_s: float) -> None:
    """Hold up the loop that this is called on."""
    time.sleep(for_s)


async def held_up(for_s: float) -> None:
    async with Deadline(FOR_S):
        await asyncio.sleep(0)
        hold_up(for_s)
        await asyncio.Event().wait()


async def test_an_answer_in_time_is_returned_and_nothing_comes_after_it() -> None:
    async with Deadline(FOR_S):
        assert await answered(0.0) == "answer"
    await asyncio.sleep(2 * FOR_S)


async def test_no_answer_ends_the_wait() -> None:
    with pytest.raises(TimeoutError):
        async with Deadline(FOR_S):
            await asyncio.Event().wait()


async def test_an_answer_that_came_while_the_loop_was_held_up_counts_as_in_time() -> None:
    async with Deadline(FOR_S):
        waited = asyncio.ensure_future(answered(FOR_S / 5))
        await asyncio.sleep(0)
        # The answer comes, the time passes, and the loop sees of both only that they are over.
        hold_up(3 * FOR_S)
        assert await waited == "answer"


async def test_a_loop_that_was_held_up_waits_for_nobody_without_an_end() -> None:
    begun_s = time.monotonic()
    with pytest.raises(TimeoutError):
        await held_up(FOR_S + 4 * STALL_S)
    assert time.monotonic() - begun_s >= FOR_S + 8 * STALL_S


async def test_a_task_that_is_cancelled_ends_as_cancelled() -> None:
    async def call() -> None:
        async with Deadline(10.0):
            await asyncio.Event().wait()

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
