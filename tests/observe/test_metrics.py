import multiprocessing
from pathlib import Path
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from choirbook.http.exchange import Request, Response
from choirbook.observe.exposition import exposition
from choirbook.observe.metrics import (
    BUCKETS_S,
    CACHE_SIZE,
    CATALOG_SIZE,
    EVICTIONS,
    METRICS,
)
from choirbook.observe.recorder import Recorder
from choirbook.observe.shared_metrics import SharedMetrics
from choirbook.servers.asgi.server import AsgiHeaders
from tests.support.apps import Served, serving
from tests.support.mcp import handshake, modern
from tests.support.metering import value
from tests.support.trees import CORE, plant, replace
from tests.support.waiting import eventually

LOADING = "mcp_resource_loading_latency_seconds"
READ = {("sdlc", "hit"), ("pattern", "miss")}
INTERFACE_BUCKETS = [
    "0.0001",
    "0.00025",
    "0.0005",
    "0.001",
    "0.0025",
    "0.005",
    "0.01",
    "0.025",
    "0.05",
    "0.1",
]
INTERFACE_BUCKETS += ["0.2", "0.5", "1.0", "+Inf"]
CORE_PATH = "/mcp/resources/sdlc/core"


def families(text: str) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def _bounds(text: str, name: str, labels: dict[str, str]) -> list[str]:
    """Return the bounds of a histogram's buckets, as they are spelled on the page."""
    samples = [
        sample for family in families(text).values() for sample in family.samples if sample.name == name
    ]
    return [sample.labels["le"] for sample in samples if labels.items() <= sample.labels.items()]


def series(text: str) -> set[str]:
    return {line.rpartition(" ")[0] for line in text.splitlines() if line and not line.startswith("#")}


def shown(cells: SharedMetrics) -> str:
    return exposition(cells).decode()


def hit(recorder: Recorder, type_: str, latency_s: float) -> None:
    recorder.reads(type_, [latency_s], is_hit=True)
    recorder.lookups([0.00001], is_hit=True)


def test_the_page_has_the_names_buckets_and_labels_of_the_interface() -> None:
    cells = SharedMetrics()
    recorder = Recorder(cells.claim(), ["sdlc", "pattern"])
    hit(recorder, "sdlc", 0.0003)
    recorder.reads("pattern", [0.004], is_hit=False)
    text = shown(cells)
    for type_ in ("sdlc", "pattern"):
        for result in ("hit", "miss"):
            labels = {"resource_type": type_, "cache_result": result}
            assert _bounds(text, f"{LOADING}_bucket", labels) == INTERFACE_BUCKETS
            assert value(text, f"{LOADING}_count", **labels) == float((type_, result) in READ)
    assert value(text, "mcp_resource_cache_latency_seconds_count", cache_result="hit") == 1
    assert value(text, "mcp_resource_cache_hits_total", resource_type="sdlc") == 1
    assert value(text, "mcp_resource_cache_misses_total", resource_type="pattern") == 1
    for name, family in families(text).items():
        about = METRICS.get(name) or METRICS.get(f"{name}_total")
        if about is not None:
            assert (family.type, family.documentation) == (about.kind, about.help)


@pytest.mark.parametrize(
    ("latency_s", "bucket"),
    [
        (0.0, "0.0001"),
        (0.0001, "0.0001"),
        (0.00011, "0.00025"),
        (0.3, "0.5"),
        (1.0, "1.0"),
        (1.1, "+Inf"),
        (99.0, "+Inf"),
    ],
)
def test_a_latency_falls_into_the_bucket_whose_bound_it_does_not_exceed(
    latency_s: float, bucket: str
) -> None:
    cells = SharedMetrics()
    hit(Recorder(cells.claim(), ["x"]), "x", latency_s)
    text = shown(cells)
    labels = {"resource_type": "x", "cache_result": "hit"}
    for bound in INTERFACE_BUCKETS:
        expected = INTERFACE_BUCKETS.index(bound) >= INTERFACE_BUCKETS.index(bucket)
        assert value(text, f"{LOADING}_bucket", **labels, le=bound) == expected
    assert value(text, f"{LOADING}_sum", **labels) == latency_s


@given(st.lists(st.floats(min_value=0, max_value=2, allow_nan=False), max_size=50))
def test_many_latencies_at_once_fall_into_the_buckets_of_each(latencies_s: list[float]) -> None:
    at_once, one_by_one = SharedMetrics(), SharedMetrics()
    Recorder(at_once.claim(), ["x"]).reads("x", list(latencies_s), is_hit=False)
    recorder = Recorder(one_by_one.claim(), ["x"])
    for latency_s in latencies_s:
        recorder.reads("x", [latency_s], is_hit=False)
    expected = {
        bound: float(sum(latency_s <= float(bound) for latency_s in latencies_s))
        for bound in INTERFACE_BUCKETS
    }
    assert _misses(shown(at_once)) == _misses(shown(one_by_one)) == expected


def _misses(text: str) -> dict[str, float]:
    """Return the buckets of all misses of a page that has one type."""
    samples = families(text)[LOADING].samples
    return {
        sample.labels["le"]: sample.value
        for sample in samples
        if sample.name == f"{LOADING}_bucket" and sample.labels["cache_result"] == "miss"
    }


def test_the_buckets_are_those_of_the_interface() -> None:
    assert [str(bound) for bound in BUCKETS_S] == INTERFACE_BUCKETS[:-1]


def test_a_type_that_comes_with_new_rules_is_counted_too() -> None:
    cells = SharedMetrics()
    recorder = Recorder(cells.claim(), [])
    hit(recorder, "late", 0.1)
    recorder.reads("later", [0.1], is_hit=False, is_stale=True)
    recorder.reads("latest", [0.1], is_hit=True)
    text = shown(cells)
    assert value(text, "mcp_resource_cache_hits_total", resource_type="late") == 1
    assert value(text, "mcp_resource_stale_reads_total", resource_type="later") == 1
    assert value(text, "mcp_resource_cache_hits_total", resource_type="latest") == 1


pytest_fork = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@pytest_fork
def test_workers_are_added_up_and_a_dead_one_leaves_its_counters_but_not_its_gauges() -> None:
    cells = SharedMetrics(workers=2)
    mine = Recorder(cells.claim(), ["x"])

    def work(number: int) -> None:
        recorder = Recorder(cells.claim(), ["x"])
        hit(recorder, "x", 0.1)
        recorder.gauge(CACHE_SIZE, 50, level="memory")
        recorder.gauge(CATALOG_SIZE, number)
        recorder.counter(EVICTIONS, 3, level="memory")

    for number in (4, 5):
        process = multiprocessing.get_context("fork").Process(target=work, args=(number,))
        process.start()
        process.join(30)
    hit(mine, "x", 0.1)
    mine.gauge(CACHE_SIZE, 7, level="memory")
    mine.gauge(CATALOG_SIZE, 9)
    mine.counter(EVICTIONS, 1, level="memory")
    mine.counter(EVICTIONS, 2, level="memory")
    text = shown(cells)
    assert value(text, "mcp_resource_cache_hits_total", resource_type="x") == 3
    assert value(text, "mcp_resource_cache_evictions_total", level="memory") == 8
    assert value(text, "mcp_resource_cache_size", level="memory") == 7
    assert value(text, "choirbook_catalog_resources") == 9


@pytest_fork
def test_of_what_every_worker_has_whole_the_least_is_shown() -> None:
    cells = SharedMetrics(workers=2)
    mine = Recorder(cells.claim(), [])
    mine.gauge(CATALOG_SIZE, 9)
    mine.gauge(CACHE_SIZE, 3, level="memory")
    forking = multiprocessing.get_context("fork")
    recorded, seen = forking.Event(), forking.Event()

    def work() -> None:
        other = Recorder(cells.claim(), [])
        other.gauge(CATALOG_SIZE, 8)
        other.gauge(CACHE_SIZE, 4, level="memory")
        recorded.set()
        seen.wait(30)

    process = forking.Process(target=work)
    process.start()
    assert recorded.wait(30)
    text = shown(cells)
    seen.set()
    process.join(30)
    assert value(text, "choirbook_catalog_resources") == 8
    assert value(text, "mcp_resource_cache_size", level="memory") == 7


async def test_reads_of_both_surfaces_are_counted_by_type_and_result(served: Served) -> None:
    for _ in range(3):
        await served.get(CORE_PATH)
        await handshake(served, "resources/read", uri="mcp://resources/patterns/go/core")
        await modern(served, "resources/read", uri="mcp://resources/templates/prd-template")
    etag = (await served.get(CORE_PATH)).headers["etag"]
    await served.get(CORE_PATH, if_none_match=etag)
    text = await served.metrics()
    for type_, hits in (("sdlc", 4), ("pattern", 2), ("template", 2)):
        assert value(text, f"{LOADING}_count", resource_type=type_, cache_result="hit") == hits
        assert value(text, f"{LOADING}_count", resource_type=type_, cache_result="miss") == 1
        assert value(text, "mcp_resource_cache_hits_total", resource_type=type_) == hits
    assert value(text, "mcp_resource_cache_latency_seconds_count", cache_result="hit") == 7
    assert value(text, "mcp_resource_cache_latency_seconds_count", cache_result="miss") == 3
    assert value(text, "mcp_resource_cache_size", level="memory") == 3
    assert value(text, "mcp_resource_cache_bytes", level="memory") > len(CORE)


async def test_responses_and_failures_are_counted(served: Served) -> None:
    await served.get(CORE_PATH)
    await served.get("/mcp/resources/none")
    await served.get("/mcp/resources/a%00")
    text = await served.metrics()
    assert value(text, "choirbook_http_responses_total", status="2xx") == 1
    assert value(text, "choirbook_http_responses_total", status="4xx") == 2
    assert value(text, "mcp_resource_failed_reads_total", reason="ResourceNotFound") == 1
    assert value(text, "mcp_resource_failed_reads_total", reason="InvalidUri") == 1


async def test_evictions_are_counted(library: Path) -> None:
    async with serving(library, cache_max_resources=1) as served:
        await served.get(CORE_PATH)
        await served.get("/mcp/resources/patterns/go/core")
        text = await served.metrics()
    assert value(text, "mcp_resource_cache_size", level="memory") == 1
    assert value(text, "mcp_resource_cache_evictions_total", level="memory", reason="resources") == 1
    assert value(text, "mcp_resource_cache_evictions_total", level="memory", reason="bytes") == 0


async def test_no_text_of_a_client_becomes_a_label(served: Served) -> None:
    await served.get(CORE_PATH)
    await served.get("/mcp/resources/none")
    await served.get("/mcp/resources/a%00")
    await served.client.request("INVENTED", CORE_PATH)
    before = series(await served.metrics())
    for number in range(10_000):
        served.app.record(_answer_to(served, f"/mcp/resources/invented/{number}"), monotonic())
    for number in range(100):
        await handshake(served, "resources/read", uri=f"mcp://resources/invented/{number}")
        await modern(served, f"invented/{number}")
        await handshake(served, "tools/call", name=f"invented{number}")
        await served.client.request(f"INVENTED{number}", f"/mcp/resources?type=invented{number}")
        await served.get(CORE_PATH, accept=f"text/x-invented-{number}")
    after = series(await served.metrics())
    assert {each for each in after - before if "reason=" not in each and "error_type=" not in each} == set()
    assert not any("nvented" in each for each in after)
    assert value(await served.metrics(), "mcp_resource_cache_size", level="memory") <= 2
    assert len(served.library.memory) <= 2


def _answer_to(served: Served, path: str) -> Response:
    answer = served.app.respond(Request("GET", path, "", AsgiHeaders([])))
    assert isinstance(answer, Response)
    assert answer.status == 404
    return answer


async def test_the_number_of_resources_follows_the_library(library: Path) -> None:
    async with serving(library, rescan_s=0.05) as served:
        assert value(await served.metrics(), "choirbook_catalog_resources") == 5
        assert value(await served.metrics(), "choirbook_watch_up") == 0
        plant(library, {"new.txt": "x"})
        replace(library / "sdlc-core.md", "# New\n")

        async def follows() -> bool:
            return value(await served.metrics(), "choirbook_catalog_resources") == 6

        await eventually(follows)


async def test_the_process_itself_is_on_the_page(served: Served) -> None:
    response = await served.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    found = families(response.text)
    assert {"process_resident_memory_bytes", "process_open_fds", "python_info"} <= set(found)
