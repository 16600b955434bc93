"""Promise 20: whoever can write to Redis and does not know the secret, changes no byte that is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from choirbook.redis.signatures import Signer
from tests.faults.conftest import Serve
from tests.faults.documents import path_of, plant_documents
from tests.faults.figures import IS_WHOLE, Figures
from tests.faults.load import describe, loading
from tests.faults.poisoning import SCRIPT, poisoning
from tests.faults.processes import memory_bytes
from tests.servers.metrics import count, metrics, total
from tests.support.redis import RedisServer
from tests.support.servers import wait_for

pytestmark = pytest.mark.timeout(300)

MIB = 1024 * 1024
SECRET, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2
DOCUMENTS = [f"document-{number:03}" for number in range(30)]
SECONDS = 30.0 if IS_WHOLE else 2.0
MAX_GROWTH_BYTES = 32 * MIB
"""Messages of a MiB are read as they come, and values up to one MiB."""

ASKING = {"CHOIRBOOK_SHARED_READS": "always", "CACHE_MAX_SIZE": "1"}
"""So small a memory that nearly every read asks Redis."""

ATTACKERS = {"of another secret": (OTHER,), "without a secret": ()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return plant_documents(tmp_path / "library", DOCUMENTS)


@pytest.mark.parametrize("who", ATTACKERS)
def test_no_byte_of_somebody_without_the_secret_is_served(
    serve: Serve, redis_server: RedisServer, figures: Figures, who: str
) -> None:
    options = ("--redis", redis_server.url)
    with (
        serve(options=options, CHOIRBOOK_REDIS_SECRET=SECRET, **ASKING) as server,
        server.client() as client,
        loading(server.port, DOCUMENTS, rate_per_s=150) as load,
    ):
        (pid,) = server.workers()

        def counted(name: str, **labels: str) -> float:
            return total(metrics(client), name, **labels)

        wait_for(lambda: counted("choirbook_shared_cache_lookups_total", result="hit") > 100, "Redis is used")
        before_bytes = memory_bytes(pid)
        with poisoning(redis_server, Signer(ATTACKERS[who])) as poisoner:
            load.spend(SECONDS)
            wait_for(lambda: poisoner.values > 300 and poisoner.messages > 300, "much was forged")
            for kind in ("value", "message", "state"):
                wait_for(
                    lambda kind=kind: counted("choirbook_redis_unverified_total", kind=kind) > 0,  # type: ignore[misc]
                    f"a forged {kind} is counted",
                )
        hits = counted("choirbook_shared_cache_lookups_total", result="hit")
        wait_for(lambda: counted("choirbook_feed_up") == 1, "the feed is up again")
        wait_for(
            lambda: counted("choirbook_shared_cache_lookups_total", result="hit") > hits, "it is used again"
        )
        grown_bytes = memory_bytes(pid) - before_bytes
        summary = load.finish()
        assert "Traceback" not in server.stderr
        # Of each kind one line in a minute, however much there was.
        assert server.stderr.count("from Redis: ") <= 4 * (1 + SECONDS // 60)

    fault = f"Redis full of what an attacker {who} writes: values, messages, replays, states"
    figures.hold(
        20, fault, "wrong or failed reads", summary.count(), "reads", at_most=0, why=describe(summary)
    )
    figures.tell(20, fault, "verified reads", summary.requests, "reads")
    figures.tell(20, fault, "values replaced", poisoner.values, "values")
    figures.tell(20, fault, "messages sent", poisoner.messages, "messages")
    figures.hold(
        20, fault, "memory of the worker grew by", grown_bytes / MIB, "MiB", at_most=MAX_GROWTH_BYTES / MIB
    )


def test_without_a_secret_forged_bytes_are_documents_and_nothing_else(
    serve: Serve, redis_server: RedisServer, figures: Figures
) -> None:
    forged = wrong = failed = reads = 0
    options = ("--redis", redis_server.url)
    with serve(options=options, **ASKING) as server, server.client() as client:
        (pid,) = server.workers()
        wait_for(lambda: count(metrics(client), "choirbook_feed_up") == 1, "Redis is used")
        for name in DOCUMENTS:
            client.get(path_of(name), params={"format": "raw"})
        before_bytes = memory_bytes(pid)
        with poisoning(redis_server, Signer(), speaks=False) as poisoner:

            def is_enough() -> bool:
                nonlocal forged, wrong, failed, reads
                for coding in ("identity", "gzip"):
                    for name in DOCUMENTS:
                        # The body is taken as it came: a bomb is not to go off in the client.
                        with client.stream(
                            "GET",
                            path_of(name),
                            params={"format": "raw"},
                            headers={"accept-encoding": coding},
                        ) as response:
                            body = b"".join(response.iter_raw())
                        reads += 1
                        forged += body.startswith(SCRIPT)
                        failed += response.status_code != 200
                        wrong += response.headers.get("content-type") != "text/markdown; charset=utf-8"
                return poisoner.values > 300 and forged > 0

            wait_for(is_enough, "much was forged", 60)
        grown_bytes = memory_bytes(pid) - before_bytes
        assert "Traceback" not in server.stderr
        assert server.workers() == [pid]

    fault = "Redis without a secret, and somebody who forges"
    figures.hold(20, fault, "answers of another media type", wrong, "answers", at_most=0)
    figures.hold(20, fault, "failed reads", failed, "reads", at_most=0)
    figures.tell(20, fault, "forged documents served, of all reads", forged, f"of {reads} reads")
    figures.hold(
        20, fault, "memory of the worker grew by", grown_bytes / MIB, "MiB", at_most=MAX_GROWTH_BYTES / MIB
    )
