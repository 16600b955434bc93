"""docs/metrics.md is what is declared, and what is declared is what a server shows."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from choirbook.observe.metrics import METRICS, Label
from scripts.metrics_page import PAGE, page
from tests.support.apps import Served, serving
from tests.support.collector import collecting_http
from tests.support.mcp import handshake, modern
from tests.support.redis import RedisServer


def test_the_page_is_made_of_what_is_declared() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "make it again with: task docs:metrics"


def test_every_metric_says_what_it_is_for_and_what_to_do() -> None:
    for name, metric in METRICS.items():
        for text in (metric.help, metric.about, metric.remedy):
            assert text[-1] == ".", (name, text)
            assert len(text) > 10, (name, text)
        assert all(label.values or label.about for label in metric.labels), name


async def test_every_metric_is_shown_with_the_labels_and_values_that_are_declared(
    library: Path, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collecting_http() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        async with serving(library, redis_url=redis_server.url, dashboard=True) as served:
            await call_everything(served)
            text = await served.metrics()
    shown = {
        sample.name: sample.labels
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert {name for name in METRICS if name not in shown and f"{name}_count" not in shown} == set()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = sample.name if sample.name in METRICS else sample.name.rpartition("_")[0]
            declared = {label.name: label for label in METRICS[name].labels}
            for label, value in sample.labels.items():
                assert label == "le" or fits(declared[label], value), (sample.name, label, value)


async def call_everything(served: Served) -> None:
    await served.get("/mcp/resources/sdlc/core")
    await served.get("/mcp/resources/none")
    await handshake(served, "tools/call", name="read", arguments={"uri": "mcp://resources/none"})
    await modern(served, "resources/read", uri="mcp://resources/none")
    await handshake(served, "invented")


def fits(label: Label, value: str) -> bool:
    return bool(label.about) or value in label.values
