import re
import shutil
import subprocess
from collections.abc import Callable, Iterable

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from choirbook.http.negotiation import Exposition
from choirbook.observe.exposition import exposition
from choirbook.observe.metrics import METRICS, MetricKind
from choirbook.observe.recorder import Recorder
from choirbook.observe.shared_metrics import SharedMetrics
from tests.support.apps import Served

OPENMETRICS = "application/openmetrics-text"
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


def parse_openmetrics(text: str) -> list[Metric]:
    return list(openmetrics.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]


def spelled(format_: Exposition) -> str:
    cells = SharedMetrics()
    recorder = Recorder(cells.claim(), ["sdlc", "pattern"])
    recorder.reads("sdlc", [0.0003, 0.002], is_hit=True)
    recorder.lookups([0.00001], is_hit=True)
    for metric, about in METRICS.items():
        if about.kind is MetricKind.GAUGE:
            recorder.gauge(metric, 3)
    return exposition(cells, format_).decode()


def test_openmetrics_ends_where_its_specification_says() -> None:
    text = spelled(Exposition.OPENMETRICS)
    assert text.endswith("\n# EOF\n")
    assert text.count("# EOF") == 1
    assert "# EOF" not in spelled(Exposition.TEXT)


def test_openmetrics_is_read_by_a_strict_parser_with_kinds_units_and_help() -> None:
    families = {family.name: family for family in parse_openmetrics(spelled(Exposition.OPENMETRICS))}
    shown = {metric for metric in METRICS if metric.removesuffix("_total") in families}
    assert {"mcp_resource_loading_latency_seconds", "mcp_resource_cache_hits_total"} <= shown
    for metric in shown:
        family, about = families[metric.removesuffix("_total")], METRICS[metric]
        assert (family.type, family.unit, family.documentation) == (about.kind.value, about.unit, about.help)


def test_both_spellings_have_the_same_figures() -> None:
    def own(families: Iterable[Metric]) -> set[tuple[str, str, float]]:
        return {
            (sample.name, str(sorted(sample.labels.items())), sample.value)
            for family in families
            for sample in family.samples
            if sample.name.startswith(("mcp_", "choirbook_")) and not sample.name.endswith("_created")
        }

    plain = own(parse_text(spelled(Exposition.TEXT)))
    assert len(plain) > 100
    assert own(parse_openmetrics(spelled(Exposition.OPENMETRICS))) == plain


def test_counters_and_histograms_say_since_when_they_count_and_gauges_do_not() -> None:
    created = re.findall(r"^(\w+)_created(\{.*\})? (\S+)$", spelled(Exposition.OPENMETRICS), re.MULTILINE)
    own = [each for each in created if each[0].startswith(("mcp_", "choirbook_"))]
    kinds = {(METRICS.get(name) or METRICS[f"{name}_total"]).kind for name, _, _ in own}
    assert kinds == {MetricKind.COUNTER, MetricKind.HISTOGRAM}
    assert len({moment for _, _, moment in own}) == 1


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs Prometheus: scripts/install")
def test_promtool_has_nothing_to_say_about_the_text() -> None:
    text = spelled(Exposition.TEXT)
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_unit_is_what_the_name_ends_with() -> None:
    for metric, about in METRICS.items():
        assert metric.removesuffix("_total").endswith(f"_{about.unit}" if about.unit else ""), metric
        assert metric.endswith("_total") == (about.kind is MetricKind.COUNTER), metric


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (PROMETHEUS_2, OPENMETRICS),
        (PROMETHEUS_3, OPENMETRICS),
        (f"{OPENMETRICS}; version=1.0.0", OPENMETRICS),
        ("*/*", "text/plain"),
        ("text/plain; version=0.0.4", "text/plain"),
    ],
)
async def test_a_scraper_gets_what_it_asks_for(served: Served, accept: str, media_type: str) -> None:
    response = await served.get("/metrics", accept=accept)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(f"{media_type}; version=")
    assert response.headers["vary"] == "accept"
    assert response.text.endswith("# EOF\n") == (media_type == OPENMETRICS)
    parse: Callable[[str], Iterable[Metric]] = parse_openmetrics if media_type == OPENMETRICS else parse_text
    assert "choirbook_catalog_resources" in {family.name for family in parse(response.text)}
