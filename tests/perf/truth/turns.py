"""The generator beside wrk at a server that answers at once, in turns and at the same rates."""

from __future__ import annotations

import re
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.perf.truth import log
from tests.perf.truth.apparatus import truth_server
from tests.perf.truth.runs import perf_test, scenario_file

RATES = (100, 500, 1000, 2000)
LIMIT = 1.3
_PAUSE_MS = 10
"""Mean pause of a connection of wrk between two requests: it has no rate, so pauses make one."""
_SCRIPT = f"""
function delay() return math.random(0, {2 * _PAUSE_MS}) end
function done(summary, latency, requests)
  local p50 = latency:percentile(50)
  io.write(string.format("p50=%d requests=%d us=%d\\n", p50, summary.requests, summary.duration))
end
"""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One run of each at one rate."""

    rate: int
    wrk_rate: float
    wrk_p50_us: float
    """From the actual send: wrk knows no other time."""
    service_p50_us: float
    """The generator's p50 from the actual send."""
    response_p50_us: float
    """The generator's p50 from the time at which the request was due."""
    exit_code: int


def turns(rounds: int, run_time_s: int) -> Iterator[Turn]:
    """Run wrk and the generator in turns, at each rate."""
    with tempfile.TemporaryDirectory(prefix="truth-") as scratch, scenario_file() as scenario:
        directory = Path(scratch)
        script = directory / "rate.lua"
        script.write_text(_SCRIPT, "utf-8")
        with truth_server(directory, "null") as server:
            for rate in RATES:
                for _ in range(rounds):
                    yield _turn(server.url, scenario, script, rate, run_time_s)


def ratio(found: list[Turn]) -> float:
    """Return the median of the ratios of the response p50 to wrk's."""
    return statistics.median(turn.response_p50_us / turn.wrk_p50_us for turn in found)


def _turn(url: str, scenario: Path, script: Path, rate: int, run_time_s: int) -> Turn:
    connections = max(1, rate * _PAUSE_MS // 1000)
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{run_time_s}s", "-s", str(script), url + log.PRODUCT],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"p50=(\d+) requests=(\d+) us=(\d+)", done.stdout)
    assert found, done.stdout
    report = perf_test(
        "--url", url, "--scenario", scenario, "--rate", str(rate), "--run-time", f"{run_time_s}s"
    )
    return Turn(
        rate=rate,
        wrk_rate=round(int(found[2]) / int(found[3]) * 1e6, 1),
        wrk_p50_us=int(found[1]),
        service_p50_us=report.percentile_ms(50, "service_counts") * 1000,
        response_p50_us=report.percentile_ms(50) * 1000,
        exit_code=report.exit_code,
    )
