"""Wait for a condition, never for a time."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any, TypeVar

Found = TypeVar("Found")

POLL_S = 0.01


async def eventually(condition: Callable[[], Any], deadline_s: float = 10.0) -> Any:
    """Ask again and again until the answer, awaited or not, is true, and return it, or fail."""
    end_s = time.monotonic() + deadline_s
    while True:
        outcome = condition()
        found = await outcome if inspect.isawaitable(outcome) else outcome
        if found:
            return found
        assert time.monotonic() < end_s, f"not within {deadline_s} s; the last answer was {found!r}"
        await asyncio.sleep(POLL_S)


def eventually_sync(condition: Callable[[], Found], deadline_s: float = 10.0) -> Found:
    """Do what `eventually` does, without an event loop."""
    end_s = time.monotonic() + deadline_s
    while not (found := condition()):
        assert time.monotonic() < end_s, f"not within {deadline_s} s; the last answer was {found!r}"
        time.sleep(POLL_S)
    return found


async def never(condition: Callable[[], object], for_s: float) -> None:
    """Ask again and again for a while, and fail when the answer is true: for what must not happen."""
    end_s = time.monotonic() + for_s
    while time.monotonic() < end_s:
        found = condition()
        assert not found, f"it happened: {found!r}"
        await asyncio.sleep(POLL_S)
