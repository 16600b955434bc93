from choirbook.observe.metrics import HITS, MISSES
from choirbook.observe.recorder import Recorder
from choirbook.observe.shared_metrics import SharedMetrics
from choirbook.observe.totals import totals


def test_counters_of_all_workers_and_labels_are_added_up() -> None:
    cells = SharedMetrics(2)
    for _ in range(2):
        # One process has all record locks, so it would claim the same slot twice: two recorders add to one.
        recorder = Recorder(cells.claim(), ["pattern", "sdlc"])
        recorder.reads("pattern", [0.001] * 3, is_hit=True)
        recorder.reads("sdlc", [0.001], is_hit=True)
        recorder.reads("sdlc", [0.001], is_hit=False)
    found = totals(cells)
    assert (found[HITS], found[MISSES]) == (8, 2)


def test_nothing_recorded_is_nothing() -> None:
    assert totals(SharedMetrics())[HITS] == 0
