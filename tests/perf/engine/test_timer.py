"""Callbacks at given times."""

from __future__ import annotations

import asyncio
import time

import pytest

from choirbook_perf.engine.timer import Timer


@pytest.mark.parametrize("lead_s", [0.0, 0.0002])
async def test_callbacks_come_in_order_and_not_before_they_are_due(lead_s: float) -> None:
    timer, ended = Timer(asyncio.get_running_loop(), lead_s), asyncio.Event()
    start_s = time.monotonic()
    seen: list[float] = []

    def note(due_s: float, now_s: float) -> None:
        assert due_s <= now_s
        seen.append(due_s)
        if len(seen) == 100:
            ended.set()

    for number in reversed(range(100)):
        timer.at(start_s + number * 0.001, note)
    await asyncio.wait_for(ended.wait(), 10)
    timer.close()
    assert seen == sorted(seen)


async def test_a_callback_that_fails_keeps_no_other_from_being_called() -> None:
    loop = asyncio.get_running_loop()
    reported: list[str] = []
    loop.set_exception_handler(lambda _, context: reported.append(str(context["exception"])))
    timer, ended = Timer(loop), asyncio.Event()

    def fail(_: float, __: float) -> None:
        raise RuntimeError("broken")

    now_s = time.monotonic()
    timer.at(now_s, fail)
    timer.at(now_s + 0.01, lambda *_: ended.set())
    await asyncio.wait_for(ended.wait(), 10)
    timer.close()
    assert reported == ["broken"]


async def test_sockets_have_their_turn_while_callbacks_are_always_due() -> None:
    loop = asyncio.get_running_loop()
    timer, ended = Timer(loop), asyncio.Event()

    def again(due_s: float, _: float) -> None:
        if not ended.is_set():
            timer.at(due_s, again)

    timer.at(time.monotonic(), again)
    loop.call_later(0.02, ended.set)
    await asyncio.wait_for(ended.wait(), 10)
    timer.close()
