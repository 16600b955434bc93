"""What a server with Redis promises, under a load that verifies each answer, for every fault of Redis."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.servers.metrics import count, metrics, total
from tests.support.proxy import Fault, FaultProxy, fault_proxy
from tests.support.redis import RedisServer
from tests.support.servers import Server, rsgi_command, running, wait_for
from tests.support.verifying import Findings, plant_documents, reading

OPENS_WITHIN_S = 1.0
USED_AGAIN_WITHIN_S = 3.0
DOCUMENTS = 30
SPOILED = 30
"""Replies that a fault has to have spoiled before it counts as withstood."""

VARIABLES = {"CARREL_SHARED_READS": "always", "CACHE_MAX_SIZE": "1"}
"""So small a memory that nearly every read asks Redis."""


class Rig:
    """A server, its Redis, what stands between them, and what its readers found."""

    def __init__(
        self, server: Server, client: httpx.Client, redis: RedisServer, proxy: FaultProxy, findings: Findings
    ) -> None:
        self.server, self.client, self.redis, self.proxy = server, client, redis, proxy
        self.findings = findings

    def is_up(self) -> bool:
        """Tell whether the level and the feed are used."""
        samples = metrics(self.client)
        return count(samples, "carrel_shared_cache_up") == count(samples, "carrel_feed_up") == 1

    def hits(self) -> float:
        return count(metrics(self.client), "carrel_shared_cache_lookups_total", result="hit")

    def errors(self) -> float:
        return total(metrics(self.client), "carrel_redis_errors_total")

    def wait_used_again(self) -> None:
        """See that documents come from Redis again within the time that is promised."""
        start_s, before = time.monotonic(), self.hits()
        wait_for(lambda: self.is_up() and self.hits() > before, "Redis is used again", USED_AGAIN_WITHIN_S)
        assert time.monotonic() - start_s <= USED_AGAIN_WITHIN_S


@pytest.fixture
def rig(tmp_path: Path, redis_server: RedisServer) -> Iterator[Rig]:
    names = plant_documents(tmp_path / "library", DOCUMENTS)
    with fault_proxy(redis_server.port) as proxy:
        command = rsgi_command(tmp_path / "library", "--redis", proxy.url)
        with (
            running(command, tmp_path / "run", VARIABLES) as server,
            server.client() as client,
            reading(server.port, names) as findings,
        ):
            made = Rig(server, client, redis_server, proxy, findings)
            wait_for(lambda: made.is_up() and made.hits() > DOCUMENTS, "documents come from Redis")
            yield made
    assert findings.failures == []
    assert findings.served_from <= {"hit", "shared", "miss"}


@pytest.mark.parametrize("fault", [Fault.HOLE, Fault.RESET, Fault.TRUNCATED])
def test_a_redis_out_of_reach_is_left_alone_and_used_again(rig: Rig, fault: Fault) -> None:
    rig.proxy.fault = fault
    wait_for(lambda: not rig.is_up(), "the breaker opens", OPENS_WITHIN_S)
    spoiled = rig.proxy.spoiled
    wait_for(lambda: rig.proxy.spoiled > spoiled + 2, "it is tried again")
    rig.proxy.fault = Fault.NONE
    rig.wait_used_again()


@pytest.mark.parametrize("fault", [Fault.LATE, Fault.SLICED, Fault.FLIPPED, Fault.SWAPPED])
def test_replies_that_are_not_what_they_should_be_spoil_no_answer(rig: Rig, fault: Fault) -> None:
    rig.proxy.fault = fault
    wait_for(lambda: rig.proxy.spoiled > SPOILED, "many replies were spoiled")
    rig.proxy.fault = Fault.NONE
    rig.wait_used_again()


def test_connections_that_are_reset_are_made_again(rig: Rig) -> None:
    for _ in range(5):
        before = rig.errors()
        rig.proxy.cut()
        wait_for(lambda before=before: rig.errors() > before, "the cut is noticed")  # type: ignore[misc]
        wait_for(rig.is_up, "Redis is used again", USED_AGAIN_WITHIN_S)


def _kill(redis: RedisServer) -> Callable[[], None]:
    redis.kill()
    return redis.start


def _freeze(redis: RedisServer) -> Callable[[], None]:
    redis.freeze()
    return redis.thaw


@pytest.mark.parametrize("break_it", [_kill, _freeze], ids=["killed", "frozen"])
def test_a_redis_that_dies_or_freezes_fails_no_read(
    rig: Rig, break_it: Callable[[RedisServer], Callable[[], None]]
) -> None:
    mend = break_it(rig.redis)
    wait_for(lambda: not rig.is_up(), "the breaker opens", OPENS_WITHIN_S)
    reads = len(rig.findings.latencies_ms)
    wait_for(lambda: len(rig.findings.latencies_ms) > reads + 100, "reads go on")
    mend()
    rig.wait_used_again()


@contextmanager
def _unauthorised(redis: RedisServer) -> Iterator[None]:
    with redis.client() as client:
        client.config_set("requirepass", "other")
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        yield
        client.config_set("requirepass", "")


def test_a_redis_that_wants_a_password_is_left_alone_until_it_wants_none(rig: Rig) -> None:
    with _unauthorised(rig.redis):
        wait_for(lambda: not rig.is_up(), "the breaker opens", OPENS_WITHIN_S)
        wait_for(
            lambda: count(metrics(rig.client), "carrel_redis_errors_total", reason="auth") > 1,
            "the reason shows",
        )
    rig.wait_used_again()


def test_a_redis_that_loads_its_data_is_used_once_it_has(rig: Rig) -> None:
    with rig.redis.client() as client:
        client.mset({f"ballast-{number}": "x" for number in range(5000)})
        client.save()
    rig.redis.kill()
    # Microseconds for each key, so that loading takes a second.
    rig.redis.start("--key-load-delay", "200", "--loading-process-events-interval-bytes", "1024")
    wait_for(
        lambda: count(metrics(rig.client), "carrel_redis_errors_total", reason="loading") > 0,
        "the reason shows",
    )
    with rig.redis.client() as client:
        wait_for(lambda: not client.info("persistence")["loading"], "the data is loaded")
    rig.wait_used_again()


@pytest.mark.parametrize("reason", ["full", "read_only"])
def test_a_redis_that_takes_no_writes_is_still_read(rig: Rig, reason: str) -> None:
    with rig.redis.client() as client:
        if reason == "full":
            client.config_set("maxmemory", 1)
        else:
            # A master that does not exist: reads are answered, writes are refused.
            client.execute_command("REPLICAOF", "127.0.0.1", "1")
            client.config_set("replica-serve-stale-data", "yes")
        before = rig.hits()
        new = rig.server.directory.parent / "library" / "new.md"
        new.write_bytes(b"# New\n")
        wait_for(
            lambda: rig.client.get("/mcp/resources/files/new.md?format=raw").status_code == 200,
            "the new document is served",
        )
        wait_for(
            lambda: count(metrics(rig.client), "carrel_redis_errors_total", reason=reason) > 0,
            "the reason shows",
        )
        wait_for(lambda: rig.hits() > before, "documents still come from Redis")
        client.config_set("maxmemory", 0)
        client.execute_command("REPLICAOF", "NO", "ONE")


def test_the_promise_of_latency_holds_when_redis_dies_or_freezes_under_load(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    names = plant_documents(tmp_path / "library", DOCUMENTS)

    def p95_ms(run: str, *options: str, fault: Callable[[], object] = lambda: None) -> float:
        command = rsgi_command(tmp_path / "library", *options)
        with running(command, tmp_path / run) as server, reading(server.port, names, 100.0) as findings:
            wait_for(lambda: len(findings.latencies_ms) >= 2 * DOCUMENTS, "every form was read once")
            findings.latencies_ms.clear()
            wait_for(lambda: len(findings.latencies_ms) >= 200, "the load runs")
            fault()
            wait_for(lambda: len(findings.latencies_ms) >= 500, "the load goes on")
        assert findings.failures == []
        return findings.p95_ms

    floor_ms = p95_ms("floor")
    frozen_ms = p95_ms("frozen", "--redis", redis_server.url, fault=redis_server.freeze)
    redis_server.thaw()
    killed_ms = p95_ms("killed", "--redis", redis_server.url, fault=redis_server.kill)
    print(f"p95: {floor_ms:.2f} ms without Redis, {frozen_ms:.2f} frozen, {killed_ms:.2f} killed")
    assert max(frozen_ms, killed_ms) <= 1.25 * floor_ms + 2.0


def test_a_hundred_thousand_invented_uris_make_no_key_no_series_and_little_memory(rig: Rig) -> None:
    series = len(metrics(rig.client))
    (worker,) = rig.server.workers()
    before_kib = _resident_kib(worker)
    for batch in range(1000):
        paths = [f"/mcp/resources/files/invented-{100 * batch + number}.md" for number in range(100)]
        requests = "".join(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n" for path in paths)
        _pipeline(rig.server.port, requests.encode(), len(paths))
    assert _resident_kib(worker) - before_kib <= 32 * 1024
    assert len(metrics(rig.client)) == series
    assert {key for key in rig.redis.keys("*:resource:*") if ":files/document-" not in key} == set()


def _resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int(status.partition("VmRSS:")[2].split()[0])


def _pipeline(port: int, requests: bytes, wanted: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(requests)
        answered = b""
        while answered.count(b"HTTP/1.1 404") < wanted:
            data = connection.recv(1024 * 1024)
            assert data, answered[-300:]
            answered += data
