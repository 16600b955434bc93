"""A rule for all tests of what watches: no thread outlives its test."""

import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.waiting import POLL_S

DEADLINE_S = 5.0
"""For threads that are about to end, on a busy machine; an exporter that tries again goes on for ten."""


@pytest.fixture(autouse=True)
def no_thread_left_behind() -> Iterator[None]:
    """Fail a test after which a thread goes on that began in it.

    An exporter that tries again draws random numbers, which Hypothesis would take for those of a later test's
    strategies. As this is asked for first, it looks last: the event loop is closed by then, with its threads.
    """
    before = set(threading.enumerate())
    yield
    end_s = time.monotonic() + DEADLINE_S
    while (left := set(threading.enumerate()) - before) and time.monotonic() < end_s:
        left.pop().join(POLL_S)
    assert {thread.name for thread in threading.enumerate() if thread not in before} == set()
