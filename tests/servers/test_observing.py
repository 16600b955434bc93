"""Reads as an operator sees them: metrics and lines on stderr, under both servers."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.servers.conftest import Start
from tests.servers.metrics import LOADING, count, metrics, total
from tests.support.servers import DOCUMENTS, ERAS, Server, post, wait_for, write_library

CORE = "/mcp/resources/sdlc/core"
READ = {
    "sdlc": CORE,
    "pattern": "/mcp/resources/patterns/go/core",
    "template": "/mcp/resources/templates/prd-template",
}


def test_reads_of_each_type_are_counted_as_hit_and_miss(cold: Server) -> None:
    with cold.client() as client:
        for path in READ.values():
            for _ in range(3):
                client.get(path)
        seen = metrics(client)

    for type_ in READ:
        assert count(seen, f"{LOADING}_count", resource_type=type_, cache_result="hit") == 2
        assert count(seen, f"{LOADING}_count", resource_type=type_, cache_result="miss") == 1
        assert count(seen, "mcp_resource_cache_hits_total", resource_type=type_) == 2
        assert count(seen, "mcp_resource_cache_misses_total", resource_type=type_) == 1
    assert count(seen, "mcp_resource_cache_latency_seconds_count", cache_result="hit") == 6
    assert count(seen, "mcp_resource_cache_latency_seconds_count", cache_result="miss") == 3
    assert count(seen, "mcp_resource_cache_size", level="memory") == 3
    assert count(seen, "mcp_resource_cache_bytes", level="memory") >= len(DOCUMENTS["sdlc-core.md"])


def test_every_way_to_read_counts_once(cold: Server) -> None:
    with cold.client() as client:
        etag = client.get(CORE).headers["etag"]
        client.head(CORE)
        client.get(CORE, headers={"if-none-match": etag})
        client.get(CORE, headers={"accept": "text/*", "range": "bytes=0-9"})
        for era in ERAS:
            post(client, era, "resources/read", uri="mcp://resources/sdlc/core")
        seen = metrics(client)

    assert total(seen, f"{LOADING}_count", resource_type="sdlc") == 6
    assert total(seen, f"{LOADING}_count") == 6


def test_buckets_are_those_of_the_interface(client: httpx.Client) -> None:
    client.get(CORE)
    bounds = {labels["le"] for name, labels, _ in metrics(client) if name == f"{LOADING}_bucket"}

    promised = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0]
    assert sorted(map(float, bounds)) == [*promised, float("inf")]


def test_invented_names_make_no_series(cold: Server) -> None:
    with cold.client() as client:

        def ask(start: int) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
            for number in range(start, start + 50):
                client.get(f"/mcp/resources/sdlc/invented-{number}")
                client.get(f"/invented/{number}")
                client.request("INVENTED", CORE, headers={"accept": f"x/{number}"})
                post(client, "modern", "resources/read", uri=f"mcp://invented/{number}")
                post(client, "handshake", f"invented/{number}")
            return {(name, tuple(sorted(labels.items()))) for name, labels, _ in metrics(client)}

        first, then = ask(0), ask(50)

    assert first == then
    assert "invented" not in str(first)


def test_each_read_is_a_line_on_stderr(cold: Server) -> None:
    uri = "mcp://resources/sdlc/core"
    with cold.client() as client:
        etag = client.get(CORE).headers["etag"]
        client.get(CORE)
        client.get(CORE, headers={"if-none-match": etag})
        post(client, "modern", "resources/read", uri=uri)
        lines = wait_for(lambda: found if len(found := cold.read_lines(uri)) == 4 else None, "four lines")

    assert [line["status_code"] for line in lines] == [200, 200, 304, 200]
    assert [line["cache_result"] for line in lines] == ["miss", "hit", "hit", "miss"]
    assert {line["file_size_bytes"] for line in lines} == {len(DOCUMENTS["sdlc-core.md"])}
    assert all(0 < line["latency_ms"] < 60_000 for line in lines)


def test_read_that_fails_is_a_line_as_well(cold: Server) -> None:
    uri = "mcp://resources/sdlc/nothing"
    with cold.client() as client:
        client.get("/mcp/resources/sdlc/nothing")
        lines = wait_for(lambda: cold.read_lines(uri), "a line")

    assert [(line["status_code"], line["cache_result"]) for line in lines] == [(404, "none")]


def test_reads_are_not_told_where_that_is_switched_off(start: Start, tmp_path: Path) -> None:
    with (
        start(write_library(tmp_path / "library"), CHOIRBOOK_ACCESS_LOG="false") as server,
        server.client() as client,
    ):
        client.get(CORE)
        assert metrics(client)
    assert server.read_lines("mcp://resources/sdlc/core") == []
