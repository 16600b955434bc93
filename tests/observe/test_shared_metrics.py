import multiprocessing
import os
from collections.abc import Callable

import pytest

from choirbook.observe.shared_metrics import SLOT_CELLS, SLOT_NAMES_BYTES, Series, SharedMetrics

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


def in_a_worker(work: Callable[[], None]) -> int:
    """Do something in a forked process, as a worker does, and return its process id when it is gone."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(30)
    assert process.exitcode == 0
    assert process.pid is not None
    return process.pid


def test_a_series_has_cells_of_its_own() -> None:
    cells = SharedMetrics()
    slot = cells.claim()
    one, two = slot.series("a", 1), slot.series("b\x1fkind=x", 3)
    slot.cells[one] += 1
    slot.cells[two + 2] += 2.5
    assert slot.series("a", 1) == one
    ((is_alive, found),) = cells.slots()
    assert is_alive
    assert found == [Series("a", (1.0,)), Series("b\x1fkind=x", (0.0, 0.0, 2.5))]


def test_what_was_never_claimed_is_not_shown() -> None:
    assert list(SharedMetrics(3).slots()) == []


def test_the_counters_of_a_dead_worker_stay_and_its_successor_goes_on_in_them() -> None:
    cells = SharedMetrics(workers=1)

    def work() -> None:
        slot = cells.claim()
        slot.cells[slot.series("reads", 1)] += 5

    in_a_worker(work)
    ((is_alive, found),) = cells.slots()
    assert not is_alive
    assert found == [Series("reads", (5.0,))]
    in_a_worker(work)
    ((_, found),) = cells.slots()
    assert found == [Series("reads", (10.0,))]


def test_workers_at_the_same_time_have_slots_of_their_own() -> None:
    cells = SharedMetrics(workers=2)
    slot = cells.claim()
    slot.cells[slot.series("reads", 1)] = 1

    def work() -> None:
        other = cells.claim()
        other.cells[other.series("reads", 1)] = 7

    in_a_worker(work)
    assert [found[0].values for _, found in cells.slots()] == [(1.0,), (7.0,)]
    assert [is_alive for is_alive, _ in cells.slots()] == [True, False]


def test_more_workers_than_were_announced_are_refused() -> None:
    cells = SharedMetrics(workers=1)
    reading, writing = os.pipe()
    held = multiprocessing.get_context("fork").Barrier(3)

    def hold() -> None:
        slot = cells.claim()
        slot.series("reads", 1)
        held.wait(30)
        os.close(writing)
        os.read(reading, 1)

    holders = [multiprocessing.get_context("fork").Process(target=hold) for _ in range(2)]
    for holder in holders:
        holder.start()
    held.wait(30)
    try:
        with pytest.raises(RuntimeError, match="no free slot"):
            cells.claim()
    finally:
        os.close(writing)
        os.close(reading)
        for holder in holders:
            holder.join(30)


def test_a_full_slot_says_so() -> None:
    slot = SharedMetrics().claim()
    slot.series("large", SLOT_CELLS - 2)
    with pytest.raises(RuntimeError, match="no room"):
        slot.series("one more", 1)


def test_names_that_do_not_fit_are_refused() -> None:
    slot = SharedMetrics().claim()
    with pytest.raises(RuntimeError, match="no room"):
        slot.series("x" * SLOT_NAMES_BYTES, 1)
    assert slot.series("x", 1) >= 1
