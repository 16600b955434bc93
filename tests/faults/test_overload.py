"""Promise 11: what is too much is refused at once, and what is accepted is answered as soon as ever."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import httpx

from tests.faults.conftest import NAMES, Serve
from tests.faults.documents import path_of
from tests.faults.figures import IS_WHOLE, Figures
from tests.faults.flood import Plan, flood
from tests.faults.load import describe, loading
from tests.faults.pipelining import ask, get
from tests.faults.processes import need
from tests.support.servers import Server, wait_for

SECONDS = 20.0 if IS_WHOLE else 3.0
CAPACITY_S = 3.0
TIMES = 3
CONNECTIONS = 400
SEARCHES = [f"/mcp/search?q=version+line+{number}" for number in range(50)]
ACCEPTED_MS = 100.0
RECOVERS_WITHIN_S = 5.0
HITTING = 1000
EACH = 20_000


def searches(client: httpx.Client) -> bool:
    """Tell whether a search is answered, and soon."""
    begun_s = time.monotonic()
    is_answered = client.get(SEARCHES[0]).status_code == 200
    return is_answered and time.monotonic() - begun_s < ACCEPTED_MS / 1000


def test_searches_beyond_capacity_are_refused_at_once(serve: Serve, figures: Figures) -> None:
    with serve() as server, server.client() as client:
        wait_for(lambda: searches(client), "the index is complete")
        plan = Plan(port=server.port, paths=SEARCHES, rate_per_s=0.0, connections=4, seconds=CAPACITY_S)
        alone = flood(plan)
        capacity_per_s = alone.statuses[200] / alone.seconds
        with loading(server.port, NAMES, rate_per_s=100) as load:
            load.spend(1.0)
            outcome = flood(
                Plan(
                    port=server.port,
                    paths=SEARCHES,
                    rate_per_s=TIMES * capacity_per_s,
                    connections=CONNECTIONS,
                    seconds=SECONDS,
                )
            )
            over_s = time.monotonic()
            wait_for(lambda: searches(client), "searches are answered again")
            recovered_s = time.monotonic() - over_s
            readers = load.finish()

    fault = f"{TIMES} times as many searches as the {capacity_per_s:,.0f} a second that can be answered"
    refused = outcome.statuses.get(503, 0)
    other = sum(outcome.statuses.values()) - refused - outcome.statuses.get(200, 0) + outcome.unanswered
    assert refused > 0
    figures.tell(11, fault, "answered", outcome.statuses.get(200, 0), "searches")
    figures.tell(11, fault, "refused with 503", refused, "searches")
    figures.hold(11, fault, "refused without Retry-After", outcome.without_retry_after, "searches", at_most=0)
    figures.hold(11, fault, "neither answered nor refused", other, "searches", at_most=0)
    figures.hold(11, fault, "p95 of those answered", outcome.p95_ms[200], "ms", at_most=ACCEPTED_MS)
    figures.hold(11, fault, "p95 of the refusals", outcome.p95_ms[503], "ms", at_most=ACCEPTED_MS)
    figures.hold(11, fault, "until one is answered again", recovered_s, "s", at_most=RECOVERS_WITHIN_S)
    figures.hold(11, fault, "failed reads", readers.count(), "reads", at_most=0, why=describe(readers))
    figures.hold(11, fault, "p95 of reads", readers.latency_ms["p95"], "ms", at_most=ACCEPTED_MS)


def cpu_s(server: Server) -> float:
    """Return the processor time that the workers have used."""
    ticks = 0
    for pid in server.workers():
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


P95_SCRIPT = """
done = function(summary, latency)
    local failed = summary.errors.status + summary.errors.read + summary.errors.timeout
    print(string.format("p95 %d failed %d answered %d", latency:percentile(95), failed, summary.requests))
end
"""


def test_a_thousand_connections_without_a_pause_are_all_served(
    serve: Serve, tmp_path: Path, figures: Figures
) -> None:
    need("wrk")
    script = tmp_path / "p95.lua"
    script.write_text(P95_SCRIPT, "utf-8")
    with serve() as server, server.client() as client:
        ask(server.port, [get(path_of(NAMES[0]))])
        printed = subprocess.run(
            [
                *("wrk", "-t1", f"-c{HITTING}", f"-d{SECONDS:g}s", "--timeout", "10s", "-s", str(script)),
                server.url + path_of(NAMES[0]),
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        over_s = time.monotonic()
        assert client.get(path_of(NAMES[0])).status_code == 200
        recovered_s = time.monotonic() - over_s
    found = re.search(r"p95 (\d+) failed (\d+) answered (\d+)", printed)
    assert found, printed
    p95_ms, failed, answered = int(found[1]) / 1000, int(found[2]), int(found[3])

    fault = f"{HITTING:,} connections that ask for what is cached, without a pause"
    figures.tell(11, fault, "answered each second", answered / SECONDS, "reads")
    figures.hold(11, fault, "failed reads", failed, "reads", at_most=0, why=printed)
    figures.hold(11, fault, "p95", p95_ms, "ms", at_most=ACCEPTED_MS, why=printed)
    figures.hold(11, fault, "until one is answered as ever", recovered_s, "s", at_most=RECOVERS_WITHIN_S)


def test_refusing_costs_no_more_than_twice_a_hit(serve: Serve, figures: Figures) -> None:
    with serve() as server:
        ask(server.port, [get(path_of(NAMES[0]))])
        begun_s = cpu_s(server)
        assert ask(server.port, [get(path_of(NAMES[0]))] * EACH) == {200: EACH}
        hits_s = cpu_s(server) - begun_s
        assert ask(server.port, [get("/nowhere")] * EACH) == {404: EACH}
        refusals_s = cpu_s(server) - begun_s - hits_s

    share = 100 * refusals_s / hits_s
    fault = f"{EACH:,} refusals, after as many hits"
    figures.hold(11, fault, "CPU of a refusal, of that of a hit", share, "%", at_most=200.0)
