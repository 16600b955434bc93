import re
from pathlib import Path

from choirbook.http.exchange import FailedRead, Revalidation
from choirbook.http.server_timing import server_timing
from choirbook.model import Reading, Representation, ResourceInfo, ServedFrom, Stage, StageName, Version
from tests.support.apps import serving

URI = "mcp://resources/sdlc/core"
CORE = "/mcp/resources/sdlc/core"
INFO = ResourceInfo(
    URI, URI, "sdlc-core.md", "core", "Core", "", "sdlc", "text/markdown", 20, 0, Version("1")
)
BYTES = Representation(b"", '"e"', [], "d", [])


def timing(*reads: Reading | Revalidation | FailedRead) -> str:
    name, value = server_timing(reads, 10.0, 10.5)
    assert name == "server-timing"
    return value


def test_a_miss_says_what_it_was_made_of() -> None:
    stages = (
        Stage(StageName.CACHE_MEMORY, 10.0, 0.001),
        Stage(StageName.CACHE_SHARED, 10.001, 0.002),
        Stage(StageName.QUEUE, 10.003, 0.0005),
        Stage(StageName.SOURCE_READ, 10.0035, 0.25),
        Stage(StageName.RENDER, 10.2535, 0.125),
    )
    assert timing(Reading(INFO, BYTES, ServedFrom.MISS, stages)) == (
        'cache;desc="miss";dur=3.000, wait;dur=0.500, source;dur=250.000, render;dur=125.000, '
        "total;dur=500.000"
    )


def test_a_hit_is_named_and_has_nothing_else_to_say() -> None:
    assert timing(Reading(INFO, BYTES, ServedFrom.HIT)) == 'cache;desc="hit", total;dur=500.000'
    assert timing(Revalidation(INFO)) == 'cache;desc="hit", total;dur=500.000'


def test_what_failed_or_read_nothing_says_how_long_it_took() -> None:
    assert timing(FailedRead(URI, "ResourceNotFound")) == "total;dur=500.000"
    assert timing() == "total;dur=500.000"


def test_of_a_load_that_others_began_only_the_rest_is_told() -> None:
    stages = (Stage(StageName.CACHE_MEMORY, 10.0, 0.0), Stage(StageName.SOURCE_READ, 9.0, 1.25))
    told = timing(Reading(INFO, BYTES, ServedFrom.MISS, stages))
    assert told == 'cache;desc="miss";dur=0.000, source;dur=250.000, total;dur=500.000'


def test_reads_of_one_batch_are_added_up() -> None:
    hit = Reading(INFO, BYTES, ServedFrom.HIT)
    miss = Reading(INFO, BYTES, ServedFrom.MISS, (Stage(StageName.SOURCE_READ, 10.0, 0.1),))
    assert timing(hit, miss, miss) == "source;dur=200.000, total;dur=500.000"


async def test_answers_say_where_the_time_went_where_that_is_switched_on(library: Path) -> None:
    async with serving(library, server_timing=True) as served:
        miss = await served.get(CORE)
        hit = await served.get(CORE)
        other = await served.get("/healthz")
        rpc = await served.client.post(
            "/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": URI}}
        )
    duration = r";dur=\d+\.\d{3}"
    parts = (
        rf'cache;desc="miss"{duration}, wait{duration}, source{duration}, render{duration}, total{duration}'
    )
    assert re.fullmatch(parts, miss.headers["server-timing"])
    assert re.fullmatch(parts, rpc.headers["server-timing"])
    assert re.fullmatch(rf'cache;desc="hit", total{duration}', hit.headers["server-timing"])
    assert re.fullmatch(rf"total{duration}", other.headers["server-timing"])


async def test_no_answer_says_so_by_default(library: Path) -> None:
    async with serving(library) as served:
        assert "server-timing" not in (await served.get(CORE)).headers
        assert "server-timing" not in (await served.get(CORE)).headers
