"""Announced lengths of bodies, and what is remembered of bodies that are under way."""

from __future__ import annotations

import asyncio

import pytest

from choirbook.bench.driver import DrivenHeaders, DrivenScope
from choirbook.errors import BodyTimeout, BodyTooLarge
from choirbook.http.peers import Peers
from choirbook.http.proxies import Proxies
from choirbook.runtime.quotas import Quota
from choirbook.servers.uploads import SWEEP_S, UploadQuota, Uploads, refuse_long_body
from tests.support.waiting import eventually


class Awaited:
    """Awaitable of a request's body; counts its cancellations."""

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


def make(timeout_s: float) -> Uploads:
    return Uploads(timeout_s, UploadQuota(Peers(Proxies(())), Quota(1000, 1)))


def begin(uploads: Uploads, body: Awaited) -> None:
    uploads.begin(body, DrivenScope("http", "POST", "/mcp", "", DrivenHeaders(), "127.0.0.1:1"))


async def test_only_bodies_that_take_too_long_are_given_up_and_each_is_once() -> None:
    uploads, late, done, next_one = make(SWEEP_S / 2), Awaited(), Awaited(), Awaited()
    begin(uploads, late)
    begin(uploads, done)
    uploads.end(done)
    await eventually(lambda: late.cancelled)
    begin(uploads, next_one)
    assert (late.cancelled, next_one.cancelled, done.cancelled) == (1, 0, 0)
    assert isinstance(uploads.cancellation_reason(late), BodyTimeout)
    assert uploads.cancellation_reason(late) is None, "it is forgotten once somebody knows"
    assert uploads.cancellation_reason(done) is None
    uploads.end(late)
    await eventually(lambda: next_one.cancelled)
    assert late.cancelled == 1


async def test_sweeps_go_on_while_there_is_a_body_and_begin_again_with_the_next_one() -> None:
    uploads, first, second = make(SWEEP_S / 2), Awaited(), Awaited()
    begin(uploads, first)
    await eventually(lambda: first.cancelled)
    # A full round without a body: whatever swept before has ended.
    async with asyncio.timeout(20 * SWEEP_S):
        begin(uploads, second)
        await eventually(lambda: second.cancelled)
    assert (first.cancelled, second.cancelled) == (1, 1)


async def test_a_sweep_that_finds_a_body_in_time_looks_again() -> None:
    uploads, waiting = make(SWEEP_S * 1.5), Awaited()
    begin(uploads, waiting)
    await eventually(lambda: waiting.cancelled)
    assert isinstance(uploads.cancellation_reason(waiting), BodyTimeout)
