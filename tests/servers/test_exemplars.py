"""From a slow bucket to its trace: a real Prometheus beside two workers, and a real collector."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.collector import SERVER, collecting_http
from tests.support.prometheus import Prometheus, needs_prometheus, prometheus
from tests.support.servers import ERAS, post, rsgi_command, running, wait_for, write_library

CORE = "/mcp/resources/sdlc/core"
CORE_URI = "mcp://resources/sdlc/core"
READS = "mcp_resource_loading_latency_seconds_bucket"
MESSAGES = "mcp_server_operation_duration_seconds_bucket"
STORAGE = "--enable-feature=exemplar-storage"
ROUND = 20


@needs_prometheus
@pytest.mark.timeout(120)
def test_prometheus_answers_with_traces_that_the_collector_has(tmp_path: Path) -> None:
    (tmp_path / "prometheus").mkdir()
    with collecting_http() as collector:
        library = write_library(tmp_path / "library")
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "20"}
        with (
            running(rsgi_command(library, "--workers", "2"), tmp_path / "run", variables) as server,
            prometheus(tmp_path / "prometheus", server.port, STORAGE) as watching,
            server.client() as client,
        ):

            def found() -> Sequence[dict[str, Any]]:
                read(client)
                of_reads, of_messages = exemplars(watching, READS), exemplars(watching, MESSAGES)
                return [*of_reads, *of_messages] if of_reads and of_messages else []

            wait_for(found, "exemplars in Prometheus")
            shown = found()
            wait_for(lambda: ids(shown) <= {(s.trace_id, s.span_id) for s in collector.spans}, "their traces")
            servers = {(span.trace_id, span.span_id) for span in collector.spans if span.kind == SERVER}
            assert ids(shown) <= servers, "each is of the span of a request"
            assert all(0 < float(each["value"]) < 60 for each in shown)
            assert all(abs(float(each["timestamp"]) - time.time()) < 60 for each in shown)


def read(client: httpx.Client) -> None:
    for _ in range(ROUND):
        assert client.get(CORE).status_code == 200
        post(client, ERAS[0], "resources/read", uri=CORE_URI)


def exemplars(watching: Prometheus, metric: str) -> list[dict[str, Any]]:
    """Return what Prometheus kept of a metric."""
    now_s = time.time()
    answer = watching.get("query_exemplars", query=metric, start=f"{now_s - 300}", end=f"{now_s + 60}")
    if answer is None:
        return []
    assert answer["status"] == "success", answer
    return [found for series in answer["data"] for found in series["exemplars"]]


def ids(shown: Sequence[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(each["labels"]["trace_id"], each["labels"]["span_id"]) for each in shown}
