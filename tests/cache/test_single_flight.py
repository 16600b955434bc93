import asyncio
import weakref

import pytest

from choirbook.cache.single_flight import SingleFlight
from choirbook.runtime.threads import Threads
from tests.support.collecting import no_collector


class Load:
    """A load that waits to be let go, and counts how often it was begun."""

    def __init__(self, outcome: str | Exception = "bytes") -> None:
        self.outcome = outcome
        self.begun = 0
        self.gate = asyncio.Event()

    async def __call__(self) -> str:
        self.begun += 1
        await self.gate.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


async def _settle() -> None:
    """Let all tasks run until they wait."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_all_waiters_of_a_key_share_one_load() -> None:
    flights: SingleFlight[str, str] = SingleFlight()
    load = Load()
    waiters = [asyncio.create_task(flights.join("a", load)) for _ in range(1000)]
    await _settle()
    assert (len(flights), flights.joined) == (1, 999)
    load.gate.set()
    assert await asyncio.gather(*waiters) == ["bytes"] * 1000
    assert load.begun == 1
    assert len(flights) == 0


async def test_keys_do_not_wait_for_each_other() -> None:
    flights: SingleFlight[str, str] = SingleFlight()
    slow, quick = Load("slow"), Load("quick")
    quick.gate.set()
    waiter = asyncio.create_task(flights.join("a", slow))
    assert await flights.join("b", quick) == "quick"
    slow.gate.set()
    assert await waiter == "slow"


async def test_a_load_that_landed_is_not_kept() -> None:
    flights: SingleFlight[str, str] = SingleFlight()
    load = Load()
    load.gate.set()
    await flights.join("a", load)
    await flights.join("a", load)
    assert load.begun == 2


@pytest.mark.parametrize("cancelled", [0, 1, 4])
async def test_a_waiter_that_is_cancelled_fails_no_other(cancelled: int) -> None:
    """Number 0 began the load: its client hanging up must not end it."""
    flights: SingleFlight[str, str] = SingleFlight()
    load = Load()
    waiters = [asyncio.create_task(flights.join("a", load)) for _ in range(5)]
    await _settle()
    waiters[cancelled].cancel()
    await _settle()
    load.gate.set()
    outcomes = await asyncio.gather(*waiters, return_exceptions=True)
    assert isinstance(outcomes.pop(cancelled), asyncio.CancelledError)
    assert outcomes == ["bytes"] * 4
    assert load.begun == 1


async def test_every_waiter_is_told_of_a_failure_and_the_next_one_tries_again() -> None:
    flights: SingleFlight[str, str] = SingleFlight()
    failing, working = Load(OSError("disk")), Load()
    waiters = [asyncio.create_task(flights.join("a", failing)) for _ in range(3)]
    await _settle()
    failing.gate.set()
    outcomes = await asyncio.gather(*waiters, return_exceptions=True)
    assert all(isinstance(outcome, OSError) for outcome in outcomes)
    working.gate.set()
    assert await flights.join("a", working) == "bytes"


async def test_a_failure_that_nobody_waits_for_any_more_is_silent() -> None:
    """Python would complain of an exception that was never retrieved; warnings are errors here."""
    flights: SingleFlight[str, str] = SingleFlight()
    load = Load(OSError("disk"))
    waiter = asyncio.create_task(flights.join("a", load))
    await _settle()
    waiter.cancel()
    load.gate.set()
    await asyncio.gather(waiter, return_exceptions=True)
    await _settle()
    assert len(flights) == 0


async def test_closing_ends_all_loads() -> None:
    flights: SingleFlight[str, str] = SingleFlight()
    waiter = asyncio.create_task(flights.join("a", Load()))
    await _settle()
    await flights.close()
    assert len(flights) == 0
    with pytest.raises(asyncio.CancelledError):
        await waiter


async def test_failure_is_gone_once_every_waiter_was_told() -> None:
    """Without the collector: until it comes, what failed would be held, and what its frames hold."""
    flights: SingleFlight[str, str] = SingleFlight()
    threads = Threads(1)
    told: list[weakref.ref[Failure]] = []

    async def wait() -> None:
        try:
            await flights.join("a", lambda: threads.run(_fail))
        except Failure as error:
            told.append(weakref.ref(error))

    with no_collector():
        await asyncio.gather(*(wait() for _ in range(3)))
        threads.close()
        await _settle()
        assert [reference() for reference in told] == [None, None, None]


class Failure(Exception):
    """An error that can be referred to weakly."""


def _fail() -> str:
    raise Failure
