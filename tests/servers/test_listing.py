"""The listing and the pages about the server itself, under both servers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate
from prometheus_client.parser import text_string_to_metric_families

from tests.support.servers import DOCUMENTS


def all_pages(client: httpx.Client, **query: str | int) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = []
    while True:
        page = client.get("/mcp/resources", params=query).raise_for_status().json()
        listed += page["resources"]
        if "nextCursor" not in page:
            return listed
        query["cursor"] = page["nextCursor"]


def test_listing_has_every_document_once(client: httpx.Client) -> None:
    whole = client.get("/mcp/resources").json()

    assert whole["total"] == len(DOCUMENTS)
    assert "nextCursor" not in whole
    assert sorted(item["size"] for item in whole["resources"]) == sorted(map(len, DOCUMENTS.values()))


@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_pages_together_are_the_listing(client: httpx.Client, limit: int) -> None:
    assert all_pages(client, limit=limit) == client.get("/mcp/resources").json()["resources"]


def test_each_listed_path_leads_to_its_document(client: httpx.Client) -> None:
    for item in all_pages(client):
        assert client.get(item["href"]).json()["uri"] == item["uri"]


def test_listing_of_a_type_has_that_type_only(client: httpx.Client) -> None:
    page = client.get("/mcp/resources", params={"type": "pattern"}).json()

    assert [item["uri"] for item in page["resources"]] == [
        "mcp://resources/patterns/go/core",
        "mcp://resources/patterns/python/core",
    ]
    assert page["total"] == 2


@pytest.mark.parametrize(
    "query",
    ["type=unheard-of", "cursor=", "cursor=bm9uc2Vuc2U", "limit=0", "limit=-1", "limit=x", "limit=99999999",
     "cursor=%FF", "&".join(f"a{n}=1" for n in range(40))],
)  # fmt: skip
def test_query_that_makes_no_sense_gets_a_problem(client: httpx.Client, query: str) -> None:
    response = client.get(f"/mcp/resources?{query}")

    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == 400


def test_server_is_alive_and_ready(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["status"] == "ready"
    assert ready.json()["resources"] == len(DOCUMENTS)


def test_metrics_page_is_what_prometheus_reads(client: httpx.Client) -> None:
    response = client.get("/metrics")
    families = {family.name: family.type for family in text_string_to_metric_families(response.text)}

    assert response.headers["content-type"].startswith("text/plain")
    assert families["mcp_resource_loading_latency_seconds"] == "histogram"
    assert families["mcp_resource_cache_latency_seconds"] == "histogram"
    assert families["mcp_resource_cache_hits"] == "counter"
    assert families["mcp_resource_cache_misses"] == "counter"
    assert families["mcp_resource_cache_size"] == "gauge"
    assert families["mcp_resource_cache_bytes"] == "gauge"


def test_description_of_the_interface_is_valid_openapi(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()

    validate(document)
    assert {"/mcp/resources", "/healthz", "/readyz", "/metrics"} <= document["paths"].keys()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/mcp/resources"])
def test_head_of_every_page_has_a_length_and_no_body(client: httpx.Client, path: str) -> None:
    head = client.head(path)

    assert head.status_code == 200
    assert int(head.headers["content-length"]) > 0
    assert head.content == b""
