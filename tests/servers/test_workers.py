"""Several worker processes behind one port are one server."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.servers.metrics import LOADING, Sample, metrics, total
from tests.support.servers import Server, rsgi_command, running, wait_for, write_library

CORE = "/mcp/resources/sdlc/core"
WORKERS = 2


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    library = write_library(tmp_path / "library")
    with running(rsgi_command(library, "--workers", str(WORKERS)), tmp_path / "run") as server:
        wait_for(lambda: len(server.workers()) == WORKERS, "all workers run")
        yield server


def read_over_new_connections(server: Server, times: int) -> None:
    """Read a document, each time over a connection of its own, so that the system spreads them."""
    with server.client(fresh=True) as client, ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: client.get(CORE).status_code, range(times))) == {200}


def samples(server: Server) -> list[Sample]:
    with server.client() as client:
        return metrics(client)


def wait_for_count(server: Server, reads: int) -> list[list[Sample]]:
    """Wait until every worker shows all reads: a worker records its own a few milliseconds later."""

    def seen() -> list[list[Sample]] | None:
        pages = [samples(server) for _ in range(10)]
        return pages if {total(page, f"{LOADING}_count") for page in pages} == {reads} else None

    return wait_for(seen, f"all workers show {reads} reads")


def test_metrics_of_any_worker_are_those_of_all(server: Server) -> None:
    # One after the other at first: of those who come while a worker still loads, each counts as a miss.
    with server.client(fresh=True) as client:
        for _ in range(50):
            client.get(CORE)
    read_over_new_connections(server, 150)

    seen = wait_for_count(server, 200)

    assert {total(page, f"{LOADING}_count") for page in seen} == {200}
    assert {total(page, "mcp_resource_cache_hits_total") for page in seen} == {200 - WORKERS}
    # Every worker has a cache of its own, so each missed once: all of them took part.
    assert {total(page, "mcp_resource_cache_misses_total") for page in seen} == {WORKERS}


def test_killed_worker_is_replaced_and_counters_go_on(server: Server) -> None:
    read_over_new_connections(server, 100)
    before, workers = wait_for_count(server, 100)[0], server.workers()

    os.kill(workers[0], signal.SIGKILL)
    replaced = wait_for(
        lambda: now if len(now := server.workers()) == WORKERS and workers[0] not in now else None,
        "the killed worker is replaced",
    )
    wait_for(lambda: _all_answer(server), "the replacement answers")
    between = samples(server)
    read_over_new_connections(server, 100)
    after = wait_for_count(server, 200)[0]

    assert workers[1] in replaced
    assert total(before, f"{LOADING}_count") == total(between, f"{LOADING}_count") == 100
    assert total(after, f"{LOADING}_count") == 200
    for sample in before:
        if sample.name.endswith(("_total", "_count", "_bucket", "_sum")) and "resource" in sample.name:
            assert total(after, sample.name, **sample.labels) >= sample.value, sample


def _all_answer(server: Server) -> bool:
    """Tell whether forty connections in a row find somebody at the other end."""
    try:
        with server.client(fresh=True) as client:
            return all(client.get("/healthz").is_success for _ in range(40))
    except httpx.TransportError:
        return False


def test_edit_shows_in_every_worker(server: Server, tmp_path: Path) -> None:
    read_over_new_connections(server, 20)
    (tmp_path / "library" / "sdlc-core.md").write_text("# Edited\n")

    with server.client(fresh=True) as client:
        wait_for(
            lambda: {client.get(CORE).json()["content"] for _ in range(20)} == {"# Edited\n"},
            "the edit shows in every worker",
        )
