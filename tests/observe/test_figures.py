from choirbook.observe.exposition import series_totals
from choirbook.observe.figures import ReadKind, Sample, between, rows, sample_of
from choirbook.observe.metrics import BUCKETS_S, CATALOG_SIZE
from choirbook.observe.recorder import Recorder
from choirbook.observe.shared_metrics import SharedMetrics

BUCKETS = len(BUCKETS_S) + 1


def counted(**buckets: float) -> tuple[float, ...]:
    made = [0.0] * BUCKETS
    for name, count in buckets.items():
        made[int(name[1:])] = count
    return tuple(made)


def sample(at_s: float, **reads: tuple[float, ...]) -> Sample:
    return Sample(at_s, {ReadKind("pattern", result): counts for result, counts in reads.items()}, {}, 0.0)


def test_the_figures_between_two_samples_are_of_what_came_between() -> None:
    old = sample(100.0, hit=counted(b0=1000), miss=counted(b5=10))
    new = sample(110.0, hit=counted(b0=1000, b3=90), miss=counted(b5=20))
    found = between(old, new)
    assert (found.reads, found.reads_per_s, found.hit_rate) == (100, 10.0, 0.9)
    assert found.quantiles.p50_ms is not None
    assert BUCKETS_S[2] * 1000 < found.quantiles.p50_ms <= BUCKETS_S[3] * 1000


def test_where_nothing_was_read_there_are_no_quantiles_and_no_hit_rate() -> None:
    same = sample(100.0, hit=counted(b0=5))
    found = between(same, same._replace(at_s=105.0))
    assert found.hit_rate is None
    assert found.quantiles.p99_ms is None
    assert rows(same, same) == []


def test_a_kind_that_was_not_there_before_counts_as_a_whole() -> None:
    (row,) = rows(sample(1.0), sample(2.0, miss=counted(b1=4)))
    assert (row.type, row.result, row.reads) == ("pattern", "miss", 4)


def test_a_sample_adds_up_what_workers_recorded() -> None:
    cells = SharedMetrics()
    recorder = Recorder(cells.claim(), ("pattern",))
    recorder.reads("pattern", [0.0002, 0.0004], is_hit=True)
    recorder.reads("pattern", [0.02], is_hit=False, is_stale=True)
    recorder.responses({2: 3, 5: 1}, 100)
    recorder.gauge(CATALOG_SIZE, 7)
    found = sample_of(series_totals(cells), 5.0)
    assert sum(found.reads[ReadKind("pattern", "hit")]) == 2
    assert sum(found.reads[ReadKind("pattern", "miss")]) == 1
    assert found.value(CATALOG_SIZE) == 7
    assert found.server_errors == 1
    figures = between(sample(0.0), found)
    assert (figures.requests, figures.reads, figures.stale) == (4, 3, 1)
