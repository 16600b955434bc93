"""Promise 9: what clients invent leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from tests.faults.conftest import Serve
from tests.faults.documents import path_of
from tests.faults.figures import IS_WHOLE, Figures
from tests.faults.pipelining import ask, get, mcp_read
from tests.faults.processes import memory_bytes
from tests.servers.metrics import Sample, count, metrics
from tests.support.redis import RedisServer
from tests.support.servers import wait_for

MIB = 1024 * 1024
URIS = 100_000 if IS_WHOLE else 20_000
GROWTH_MIB = 32.0 if IS_WHOLE else 8.0
"""About as much for each URI in either."""
KINDS: dict[str, Callable[[int], bytes]] = {
    "raw": lambda n: get(f"/mcp/resources/files/invented-{n}.md?format=raw"),
    "JSON": lambda n: get(f"/mcp/resources/invented-{n}/a/b"),
    "section": lambda n: get(f"{path_of('ash')}?section=invented-{n}"),
    "language": lambda n: get(f"/mcp/resources/patterns/core?language=invented-{n}"),
    "search": lambda n: get(f"/mcp/search?q=invented{n}"),
    "MCP": lambda n: mcp_read(f"mcp://resources/files/invented-{n}.md"),
    "scheme": lambda n: mcp_read(f"invented-{n}://x"),
}


def series(client: httpx.Client) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    def key(sample: Sample) -> tuple[str, tuple[tuple[str, str], ...]]:
        return sample.name, tuple(sorted(sample.labels.items()))

    return {key(sample) for sample in metrics(client)}


def test_invented_uris_cost_nothing_lasting(
    serve: Serve, redis_server: RedisServer, figures: Figures
) -> None:
    each = URIS // len(KINDS) + 1
    options = ("--redis", redis_server.url)
    with serve(options=options, CHOIRBOOK_SHARED_READS="always") as server, server.client() as client:
        wait_for(lambda: count(metrics(client), "choirbook_shared_cache_up") == 1, "Redis is used")
        (worker,) = server.workers()
        for kind in KINDS.values():
            ask(server.port, map(kind, range(each, each + 200)))
        # The document whose sections are asked for is read once, and its content may be kept.
        keys = set(redis_server.keys("*"))
        known, before = series(client), memory_bytes(worker)
        for name, kind in KINDS.items():
            statuses = ask(server.port, map(kind, range(each)))
            assert max(statuses) < 500, f"{name}: {statuses}"
        grown_mib = max(0, memory_bytes(worker) - before) / MIB
        new = series(client) - known
        new_keys = set(redis_server.keys("*")) - keys

    fault = f"{each * len(KINDS):,} invented URIs of {len(KINDS)} kinds"
    figures.hold(9, fault, "memory of the worker, more than before", grown_mib, "MiB", at_most=GROWTH_MIB)
    figures.hold(9, fault, "new metric series", len(new), "series", at_most=0, why=str(new))
    figures.hold(9, fault, "new keys in Redis", len(new_keys), "keys", at_most=0, why=str(new_keys))
