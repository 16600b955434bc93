"""Announced lengths of bodies, and what is remembered of bodies that are under way."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from carrel.errors import BodyTooLarge
from carrel.servers.uploads import SWEEP_S, Uploads, refuse_long_body
from tests.support.waiting import eventually


class Awaited:
    """What a request waits for its body on; counts how often that was given up."""

    def __init__(self) -> None:
        self.cancelled = 0

    def cancel(self) -> bool:
        self.cancelled += 1
        return True


@pytest.mark.parametrize("length", ["0", "999", "1000", "0999"])
def test_a_length_up_to_the_limit_is_accepted(length: str) -> None:
    refuse_long_body(length, 1000)


@pytest.mark.parametrize("length", ["1001", "9999", "10000", "9" * 100_000])
def test_a_longer_one_is_refused(length: str) -> None:
    with pytest.raises(BodyTooLarge, match="1000 bytes"):
        refuse_long_body(length, 1000)


async def test_only_bodies_that_take_too_long_are_given_up_and_each_is_once() -> None:
    uploads, late, early, done = Uploads(timeout_s=100.0), Awaited(), Awaited(), Awaited()
    now_s = monotonic()
    uploads.begin(late, now_s - 101.0)
    uploads.begin(early, now_s)
    uploads.begin(done, now_s - 101.0)
    uploads.end(done)
    await eventually(lambda: late.cancelled)
    assert (late.cancelled, early.cancelled, done.cancelled) == (1, 0, 0)
    assert [uploads.was_overdue(each) for each in (late, early, done)] == [True, False, False]
    assert not uploads.was_overdue(late), "it is forgotten once somebody knows"
    uploads.end(late)


async def test_sweeps_go_on_while_there_is_a_body_and_begin_again_with_the_next_one() -> None:
    uploads, first, second = Uploads(timeout_s=SWEEP_S / 2), Awaited(), Awaited()
    uploads.begin(first, monotonic())
    await eventually(lambda: first.cancelled)
    # A full round without a body: whatever swept before has ended.
    async with asyncio.timeout(20 * SWEEP_S):
        uploads.begin(second, monotonic())
        await eventually(lambda: second.cancelled)
    assert (first.cancelled, second.cancelled) == (1, 1)


async def test_a_sweep_that_finds_a_body_in_time_looks_again() -> None:
    uploads, waiting = Uploads(timeout_s=SWEEP_S * 1.5), Awaited()
    uploads.begin(waiting, monotonic())
    await eventually(lambda: waiting.cancelled)
    assert uploads.was_overdue(waiting)
