"""The dashboard: what it asks for is there, asked of a real Prometheus beside a Choirbook under load."""

from __future__ import annotations

import http.client
import json
import re
import time
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.processes import free_port
from choirbook.observe.metrics import METRICS, MetricKind
from choirbook_perf.own_server import Launched, launched, starter_library
from scripts.grafana_dashboard import DASHBOARD, dashboard
from tests.support.mcp import ACCEPT, handshake_message, modern_headers, modern_message
from tests.support.prometheus import needs_prometheus, prometheus
from tests.support.redis import RedisServer

PROVISIONING = DASHBOARD.parents[1] / "provisioning"
SUFFIXES = re.compile(r"_(bucket|sum|count)$")
PATHS = ("sdlc/core", "patterns/core", "patterns/go/core", "templates/prd-template", "nothing/of/that/name")
ROUND = 30
DEADLINE_S = 90.0


def kept() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for panel in kept()["panels"] if panel["type"] != "row"]


def queries() -> dict[str, str]:
    """Return each query by panel and letter, with what Grafana would put in for its variables."""
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        .replace("$__rate_interval", "10s")
        .replace("$job", "choirbook")
        .replace("$instance", ".*")
        for panel in panels()
        for target in panel["targets"]
    }


def test_the_dashboard_is_as_it_is_made() -> None:
    assert kept() == dashboard(), "make it again with: task docs:dashboard"


def test_it_has_the_rows_that_an_operator_looks_for() -> None:
    rows = [panel["title"] for panel in kept()["panels"] if panel["type"] == "row"]
    assert rows == ["Traffic", "Latency", "Cache", "Freshness and faults", "Process"]


def test_it_can_be_imported_anywhere() -> None:
    (datasource, *_) = kept()["templating"]["list"]
    assert (datasource["type"], datasource["name"]) == ("datasource", "datasource")
    sources = {json.dumps(found) for found in _values(kept(), "datasource") if isinstance(found, dict)}
    assert sources == {json.dumps({"type": "prometheus", "uid": "${datasource}"})}
    assert len({panel["id"] for panel in kept()["panels"]}) == len(kept()["panels"])


def test_no_panel_lies_over_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in kept()["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        fields = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not fields & taken, panel["title"]
        taken |= fields


def test_every_panel_says_what_it_shows_and_asks_for_metrics_that_there_are() -> None:
    for panel in panels():
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
    for title, query in queries().items():
        asked = set(re.findall(r"\b(?:mcp|choirbook|process|python)_\w+(?=\{)", query))
        assert asked, title
        for name in asked:
            assert name in METRICS or METRICS[SUFFIXES.sub("", name)].kind is MetricKind.HISTOGRAM, (
                title,
                name,
            )


def test_panels_of_latency_show_the_traces_that_buckets_name() -> None:
    showing = {panel["title"] for panel in panels() if any(target["exemplar"] for target in panel["targets"])}
    assert showing == {
        "p95",
        "All reads",
        "p95 by type and cache result",
        "p99 by type and cache result",
        "Distribution",
        "p95 of MCP by method",
    }


def test_what_is_provisioned_is_where_it_is_looked_for() -> None:
    (source,) = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["type"] == "prometheus"
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "choirbook.yml").read_text())["providers"]
    assert provider["type"] == "file"
    scrape = yaml.safe_load((DASHBOARD.parents[2] / "prometheus" / "prometheus.yml").read_text())["global"]
    assert source["jsonData"]["timeInterval"] == scrape["scrape_interval"]


@needs_prometheus
@pytest.mark.timeout(240)
def test_no_panel_is_without_data_under_load(tmp_path: Path, redis_server: RedisServer) -> None:
    asked = queries()
    assert len(asked) >= 50
    # A document leaves the cache soon, for its age and for the others, so that misses go on.
    settings = {"CACHE_TTL": "0.2", "CACHE_MAX_SIZE": "3", "CHOIRBOOK_SHARED_READS": "always"}
    # No collector is there, so spans are lost, too.
    settings |= {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    with ExitStack() as stack:
        flags = ("--workers", "2", "--redis", redis_server.url)
        server = stack.enter_context(launched(starter_library(), *flags, variables=settings))
        watching = stack.enter_context(prometheus(tmp_path, server.port))
        stream = _listen(server)
        stack.callback(stream.close)
        names = cycle(PATHS)
        end_s = time.monotonic() + DEADLINE_S
        missing = asked
        while missing and time.monotonic() < end_s:
            _load(server, [next(names) for _ in range(ROUND)])
            missing = {title: query for title, query in missing.items() if not watching.has_data(query)}
        assert missing == {}


def _load(server: Launched, names: list[str]) -> None:
    """Ask in every way that the dashboard tells of."""
    connection = server.connect()
    for name in names:
        _get(connection, f"/mcp/resources/{name}", {200, 404})
    _get(connection, "/mcp/search?q=testing", {200})
    uri = "mcp://resources/sdlc/core"
    for message in (
        modern_message("resources/read", uri=uri),
        modern_message("resources/read", uri="mcp://resources/none"),
        handshake_message("resources/list"),
        handshake_message("tools/call", name="read", arguments={"uri": uri}),
    ):
        _post(connection, message)
    connection.close()


def _get(connection: http.client.HTTPConnection, path: str, expected: set[int]) -> None:
    connection.request("GET", path, headers={"Accept": "*/*"})
    response = connection.getresponse()
    response.read()
    assert response.status in expected


def _post(connection: http.client.HTTPConnection, message: dict[str, Any]) -> http.client.HTTPResponse:
    headers = {"Content-Type": "application/json", "Accept": ACCEPT}
    if "_meta" in message["params"]:
        named = modern_headers(message).items()
        headers |= {name.replace("_", "-"): value for name, value in named if value is not None}
    connection.request("POST", "/mcp", json.dumps(message), headers)
    response = connection.getresponse()
    if message["method"] != "subscriptions/listen":
        response.read()
    assert response.status == 200
    return response


def _listen(server: Launched) -> http.client.HTTPConnection:
    connection = server.connect()
    _post(connection, modern_message("subscriptions/listen", notifications={"resourcesListChanged": True}))
    return connection


def _values(value: Any, name: str) -> list[Any]:
    """Return every value of a name, wherever it is."""
    if isinstance(value, list):
        return [found for each in value for found in _values(each, name)]
    if not isinstance(value, dict):
        return []
    here = [value[name]] if name in value else []
    return here + [found for each in value.values() for found in _values(each, name)]
