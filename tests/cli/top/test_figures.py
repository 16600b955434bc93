import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.cli.top.figures import Figures, figures
from choirbook.cli.top.scraper import Scraper
from choirbook.observe.figures import Sample, sample_of
from choirbook.observe.metrics import BUCKETS_S

BUCKET = "mcp_resource_loading_latency_seconds_bucket"
BOUNDS = [*map(repr, BUCKETS_S), "+Inf"]
Samples = list[tuple[str, dict[str, str], float]]


def sample(at_s: float, *samples: tuple[str, dict[str, str], float]) -> Sample:
    """Return the sample of a page of metrics with these values."""
    page = ["# TYPE mcp_resource_loading_latency_seconds histogram"]
    for name, labels, value in (("choirbook_catalog_resources", {}, 1.0), *samples):
        told = ",".join(f'{label}="{text}"' for label, text in labels.items())
        page.append(f"{name}{{{told}}} {value}")
    totals = Scraper("http://127.0.0.1")._totals("\n".join(page) + "\n")  # noqa: SLF001
    return sample_of(totals, at_s)


def histogram(*counts: float, result: str = "hit", type_: str = "sdlc") -> Samples:
    """Samples of a histogram with so many values in each bucket."""
    padded = [*counts, *[0.0] * (len(BOUNDS) - len(counts))]
    labels = {"resource_type": type_, "cache_result": result}
    return [(BUCKET, {**labels, "le": le}, sum(padded[: n + 1])) for n, le in enumerate(BOUNDS)]


def states(*now: tuple[str, dict[str, str], float]) -> list[str]:
    return [state.title for state in figures(sample(0.0), sample(1.0, *now)).states]


def test_rates_are_of_the_time_between() -> None:
    before = sample(10.0, *histogram(100), *histogram(10, result="miss"))
    now = sample(15.0, *histogram(130), *histogram(60, type_="other"), *histogram(20, result="miss"))
    found = figures(before, now)
    assert (found.over_s, found.reads_per_s, found.hit_rate, found.reads) == (5.0, 20.0, 0.9, 210)


def test_without_reads_there_is_no_rate_of_hits() -> None:
    found = figures(sample(0.0), sample(1.0))
    assert isinstance(found, Figures)
    assert (found.reads_per_s, found.hit_rate, found.latencies, found.states) == (0.0, None, [], [])
    assert found.workers is None


def test_a_server_that_was_started_anew_counts_from_nothing() -> None:
    before = sample(0.0, *histogram(0, 1000))
    now = sample(1.0, *histogram(5))
    assert figures(before, now).reads_per_s == 5.0


def test_quantiles_are_of_the_reads_between() -> None:
    before = sample(0.0, *histogram(1000))
    now = sample(2.0, *histogram(1000, 0, 80, 20))
    (row,) = figures(before, now).latencies
    assert (row.resource_type, row.cache_result, row.reads_per_s) == ("sdlc", "hit", 50.0)
    assert row.p50_ms == pytest.approx(0.25 + 0.25 * 50 / 80, abs=1e-4)
    assert row.p95_ms == pytest.approx(0.5 + 0.5 * 15 / 20, abs=1e-4)


def test_beyond_the_last_bound_the_bound_is_all_that_is_known() -> None:
    (row,) = figures(sample(0.0), sample(1.0, *histogram(*[0] * (len(BOUNDS) - 1), 3))).latencies
    assert (row.p50_ms, row.p99_ms) == (1000 * BUCKETS_S[-1], 1000 * BUCKETS_S[-1])


@given(st.lists(st.integers(0, 1000), min_size=len(BOUNDS), max_size=len(BOUNDS)).filter(any))
def test_quantiles_rise_and_stay_within_the_bounds(counts: list[int]) -> None:
    (row,) = figures(sample(0.0), sample(1.0, *histogram(*counts))).latencies
    found = [row.p50_ms, row.p95_ms, row.p99_ms]
    assert all(value is not None and math.isfinite(value) for value in found)
    assert 0 <= (row.p50_ms or 0) <= (row.p95_ms or 0) <= (row.p99_ms or 0) <= 1000 * BUCKETS_S[-1]


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        (("choirbook_catalog_resources", {}, 0.0), "has no documents"),
        (("choirbook_rules_up", {}, 0.0), "rules cannot be used"),
        (("choirbook_ready", {}, 0.0), "Not ready"),
        (("choirbook_watch_up", {}, 0.0), "reports no file changes"),
        (("choirbook_shared_cache_up", {}, 0.0), "Redis is down"),
        (("choirbook_feed_up", {}, 0.0), "change feed is down"),
        (("choirbook_failed_scans_total", {}, 2.0), "2 scans of the library failed"),
        (
            ("mcp_resource_stale_reads_total", {"resource_type": "a"}, 7.0),
            "7 reads answered with the last good",
        ),
        (("choirbook_access_log_dropped_lines_total", {}, 9.0), "9 log lines dropped"),
        (("choirbook_trace_failing_exporters", {"exporter": "otlp"}, 1.0), "Traces are not delivered"),
        (("choirbook_trace_spans_dropped_total", {"reason": "queue_full"}, 8.0), "8 spans lost"),
        (("choirbook_traces_dropped_total", {}, 2.0), "2 requests not traced"),
        (("choirbook_http_responses_total", {"status": "5xx"}, 3.0), "3 responses with a server error"),
    ],
)
def test_what_is_not_as_it_should_be_is_said_in_words(
    sample: tuple[str, dict[str, str], float], words: str
) -> None:
    (state,) = states(sample)
    assert words in state


def test_missing_workers_are_told_of() -> None:
    assert states(("choirbook_workers", {}, 1.0), ("choirbook_workers_wanted", {}, 2.0)) == [
        "Only 1 of 2 workers run"
    ]


def test_a_server_in_order_has_nothing_to_tell() -> None:
    assert not states(
        ("choirbook_watch_up", {}, 1.0),
        ("choirbook_feed_up", {}, 1.0),
        ("choirbook_workers", {}, 2.0),
        ("choirbook_workers_wanted", {}, 2.0),
        ("choirbook_http_responses_total", {"status": "5xx"}, 0.0),
        ("choirbook_http_responses_total", {"status": "2xx"}, 50.0),
    )
