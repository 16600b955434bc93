"""Promise 1: no fault of Redis fails a read, and it is used again soon after it heals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from choirbook.redis.circuit_breaker import LONGEST_PAUSE_S
from choirbook.redis.connection import DEADLINE_S
from tests.faults.conftest import Serve
from tests.faults.documents import plant_documents
from tests.faults.figures import Figures
from tests.faults.load import Load, describe, loading
from tests.servers.metrics import count, metrics, total
from tests.support.proxy import Fault, FaultProxy, fault_proxy
from tests.support.redis import RedisServer
from tests.support.servers import Server, wait_for

OPENS_WITHIN_S = 1.0
USED_AGAIN_WITHIN_S = 3.0
DOCUMENTS = [f"document-{number:03}" for number in range(30)]
SPOILED = 30
"""Replies that a fault has to have spoiled before it counts as withstood."""

ASKING = {"CHOIRBOOK_SHARED_READS": "always", "CACHE_MAX_SIZE": "1"}
"""So small a memory that nearly every read asks Redis."""
SHARED_FROM = {"hit", "shared", "miss"}


FAULTS = {
    Fault.HOLE: "Redis out of reach: nothing goes through",
    Fault.RESET: "each reply of Redis is a reset connection",
    Fault.TRUNCATED: "each reply of Redis breaks off in the middle",
    Fault.LATE: "each reply of Redis comes 30 ms late",
    Fault.SLICED: "replies of Redis come in slices",
    Fault.FLIPPED: "a bit of every third reply of Redis is another",
    Fault.SWAPPED: "each reply of Redis is that to another question",
}
"""How the page calls what the proxy does."""


class Rig:
    """A server under load, its Redis, and what stands between them."""

    def __init__(
        self, server: Server, client: httpx.Client, redis: RedisServer, proxy: FaultProxy, load: Load
    ) -> None:
        self.server, self.client, self.redis, self.proxy, self.load = server, client, redis, proxy, load
        self.fault = ""
        """Injected fault, in the words of the page."""
        self.waits_s: list[tuple[str, float, float]] = []
        """Waits: event, duration, and maximum duration, in seconds."""

    def is_up(self) -> bool:
        """Tell whether the level and the feed are used."""
        samples = metrics(self.client)
        return count(samples, "choirbook_shared_cache_up") == count(samples, "choirbook_feed_up") == 1

    def hits(self) -> float:
        return count(metrics(self.client), "choirbook_shared_cache_lookups_total", result="hit")

    def reads(self) -> float:
        samples = metrics(self.client)
        return total(samples, "mcp_resource_cache_hits_total") + total(
            samples, "mcp_resource_cache_misses_total"
        )

    def errors(self) -> float:
        return total(metrics(self.client), "choirbook_redis_errors_total")

    def wait_left_alone(self) -> None:
        """See that Redis is not asked any more."""
        self._wait("until the breaker opened", lambda: not self.is_up(), OPENS_WITHIN_S)

    def wait_used_again(self) -> None:
        """See that documents come from Redis again."""
        before = self.hits()
        self._wait(
            "until it was used again", lambda: self.is_up() and self.hits() > before, USED_AGAIN_WITHIN_S
        )

    def _wait(self, what: str, condition: Callable[[], bool], at_most_s: float) -> None:
        begun_s, longest_s = time.monotonic(), 0.0

        def is_so() -> bool:
            nonlocal longest_s
            asked_s = time.monotonic()
            found = condition()
            longest_s = max(longest_s, time.monotonic() - asked_s)
            return found

        wait_for(is_so, what)
        seen_s = time.monotonic() - begun_s
        # Where a look at the metrics takes longer than a probe of Redis may, a probe fails too, by nobody's
        # fault but the machine's, and the next one comes after another pause.
        if at_most_s == USED_AGAIN_WITHIN_S < seen_s and longest_s > DEADLINE_S:
            at_most_s += LONGEST_PAUSE_S
        self.waits_s.append((what, seen_s, at_most_s))


@pytest.fixture
def rig(root: Path, serve: Serve, redis_server: RedisServer, figures: Figures) -> Iterator[Rig]:
    plant_documents(root, DOCUMENTS)
    with (
        fault_proxy(redis_server.port) as proxy,
        serve(options=("--redis", proxy.url), **ASKING) as server,
        server.client() as client,
        loading(server.port, DOCUMENTS, rate_per_s=150) as load,
    ):
        made = Rig(server, client, redis_server, proxy, load)
        wait_for(lambda: made.is_up() and made.hits() > len(DOCUMENTS), "documents come from Redis")
        yield made
        summary = load.finish()
    figures.hold(1, made.fault, "failed reads", summary.count(), "reads", at_most=0, why=describe(summary))
    figures.tell(1, made.fault, "verified reads", summary.requests, "reads")
    assert set(summary.served) <= SHARED_FROM
    for what in {what for what, _, _ in made.waits_s}:
        seen_s, at_most_s = max(
            (seen_s, at_most_s) for each, seen_s, at_most_s in made.waits_s if each == what
        )
        figures.hold(1, made.fault, what, seen_s, "s", at_most=at_most_s)


def in_full_set(*values: Fault | str) -> list[Any]:
    """Mark parameters whose way through the code another parameter of the same test takes too."""
    return [pytest.param(value, marks=pytest.mark.long) for value in values]


@pytest.mark.parametrize("fault", [Fault.HOLE, Fault.RESET, *in_full_set(Fault.TRUNCATED, Fault.LATE)])
def test_a_redis_out_of_reach_is_left_alone_and_used_again(rig: Rig, fault: Fault) -> None:
    rig.proxy.fault, rig.fault = fault, FAULTS[fault]
    rig.wait_left_alone()
    spoiled = rig.proxy.spoiled
    wait_for(lambda: rig.proxy.spoiled > spoiled + 2, "it is tried again")
    rig.proxy.fault = Fault.NONE
    rig.wait_used_again()


@pytest.mark.parametrize("fault", [Fault.FLIPPED, Fault.SWAPPED, *in_full_set(Fault.LATE, Fault.SLICED)])
def test_replies_that_are_not_what_they_should_be_spoil_no_answer(rig: Rig, fault: Fault) -> None:
    rig.proxy.fault, rig.fault = fault, FAULTS[fault]
    # A Redis that is late is left alone, and only probes are spoiled.
    enough = 3 if fault is Fault.LATE else SPOILED
    wait_for(lambda: rig.proxy.spoiled > enough, "many replies were spoiled")
    rig.proxy.fault = Fault.NONE
    rig.wait_used_again()


def test_connections_that_are_reset_are_made_again(rig: Rig) -> None:
    rig.fault = "connections to Redis are reset, five times"
    for _ in range(5):
        before = rig.errors()
        rig.proxy.cut()
        wait_for(lambda before=before: rig.errors() > before, "the cut is noticed")  # type: ignore[misc]
        rig.wait_used_again()


def _kill(redis: RedisServer) -> Callable[[], None]:
    redis.kill()
    return redis.start


def _freeze(redis: RedisServer) -> Callable[[], None]:
    redis.freeze()
    return redis.thaw


BREAKS: dict[str, Callable[[RedisServer], Callable[[], None]]] = {
    "kill -9 of Redis": _kill,
    "kill -STOP of Redis": _freeze,
}


# Under the load of `test_redis_latency.py` Redis is frozen in the short set.
@pytest.mark.parametrize("how", ["kill -9 of Redis", *in_full_set("kill -STOP of Redis")])
def test_a_redis_that_dies_or_freezes_fails_no_read(rig: Rig, how: str) -> None:
    rig.fault = how
    mend = BREAKS[how](rig.redis)
    rig.wait_left_alone()
    reads = rig.reads()
    wait_for(lambda: rig.reads() > reads + 100, "reads continue")
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
    rig.fault = "Redis wants a password"
    with _unauthorised(rig.redis):
        rig.wait_left_alone()
        wait_for(
            lambda: count(metrics(rig.client), "choirbook_redis_errors_total", reason="auth") > 1,
            "the reason shows",
        )
    rig.wait_used_again()


def test_a_redis_that_loads_its_data_is_used_once_it_has(rig: Rig) -> None:
    rig.fault = "Redis loads its data"
    with rig.redis.client() as client:
        client.mset({f"ballast-{number}": "x" for number in range(5000)})
        client.save()
    rig.redis.kill()
    # Microseconds for each key, so that loading takes three seconds: longer than the longest pause of probes.
    rig.redis.start("--key-load-delay", "600", "--loading-process-events-interval-bytes", "1024")
    wait_for(
        lambda: count(metrics(rig.client), "choirbook_redis_errors_total", reason="loading") > 0,
        "the reason shows",
    )
    with rig.redis.client() as client:
        wait_for(lambda: not client.info("persistence")["loading"], "the data is loaded")
    rig.wait_used_again()


@pytest.mark.parametrize("reason", ["full", *in_full_set("read_only")])
def test_a_redis_that_takes_no_writes_is_still_read(rig: Rig, reason: str) -> None:
    rig.fault = {"full": "Redis is full", "read_only": "Redis takes no writes"}[reason]
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
            lambda: count(metrics(rig.client), "choirbook_redis_errors_total", reason=reason) > 0,
            "the reason shows",
        )
        wait_for(lambda: rig.hits() > before, "documents still come from Redis")
        client.config_set("maxmemory", 0)
        client.execute_command("REPLICAOF", "NO", "ONE")
