"""Several worker processes behind one port are one server."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from tests.servers.metrics import LOADING, Sample, metrics, total
from tests.support.servers import (
    DEADLINE_S,
    RawConnection,
    Server,
    rsgi_command,
    running,
    wait_for,
    write_library,
)

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

    def read(_: int) -> int:
        # One client for all threads would close connections that another thread still uses.
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE_S)) as connection:
            connection.request("GET", CORE)
            response = connection.getresponse()
            response.read()
            return response.status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(read, range(times))) == {200}


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
    assert (
        total(before, "choirbook_worker_respawns_total"),
        total(after, "choirbook_worker_respawns_total"),
    ) == (
        0,
        1,
    )
    assert {total(page, "choirbook_workers") for page in (before, after)} == {WORKERS}
    assert total(after, "process_cpu_seconds_total") >= total(before, "process_cpu_seconds_total") > 0
    assert total(after, "process_resident_memory_bytes") > 0
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


def test_connections_that_wait_for_a_killed_worker_are_answered_by_its_replacement(server: Server) -> None:
    workers = server.workers()
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    # One that still runs would take connections in, and they would end with it.
    wait_for(lambda: all(_is_stopped(pid) for pid in workers), "the workers stand still")
    # Each waits in the socket of one worker or the other, with its request.
    waiting = [RawConnection(server.port) for _ in range(100)]
    for connection in waiting:
        connection.send(f"GET {CORE} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())

    os.kill(workers[0], signal.SIGKILL)
    os.kill(workers[1], signal.SIGCONT)

    for connection in waiting:
        with connection:
            assert connection.receive().status == 200


def test_a_stopping_server_turns_new_connections_away_while_it_answers_the_last_request(
    server: Server,
) -> None:
    with RawConnection(server.port) as unfinished:
        unfinished.send(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        # By then its worker has begun with it, as it answers those who came later.
        wait_for(lambda: _all_answer(server), "both workers answer")
        os.kill(server.process.pid, signal.SIGTERM)
        wait_for(lambda: _is_refused(server), "new connections are refused")
        assert server.process.poll() is None


def _is_stopped(pid: int) -> bool:
    states = [
        (thread / "stat").read_text("utf-8").rpartition(")")[2].split()[0]
        for thread in Path(f"/proc/{pid}/task").iterdir()
    ]
    return set(states) == {"T"}


def _is_refused(server: Server) -> bool:
    try:
        with RawConnection(server.port):
            return False
    except ConnectionError:
        return True
