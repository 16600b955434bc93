"""`wrk` as the load generator: closed loop, keep-alive, pinned to its own core."""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from benchmarks.processes import pinned

TIMEOUT_S = 20
"""Timeout of a request in seconds: slow peers leave some of a hundred connections waiting for seconds; this
is late, not failed."""


class Load(NamedTuple):
    """Results of one run."""

    requests: int
    seconds: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_s: float
    """User and system time of the generator: as long as the run, if it was the bottleneck."""


class Shot(NamedTuple):
    """The one request that is repeated."""

    url: str
    method: str
    headers: dict[str, str]
    body: str


# The summary in wrk's own format is rounded; the hook prints exact figures. A hook for each response would
# cost the generator more than the request costs the server, so lengths are checked before the run.
_SCRIPT = """
wrk.method = "{method}"
wrk.body = {body}
{headers}
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(95), latency:percentile(99),
    e.status + e.connect + e.read + e.write + e.timeout))
end
"""
_RESULT = re.compile(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)")


def is_installed() -> bool:
    """Return whether `wrk` is installed."""
    return shutil.which("wrk") is not None


def shoot(shot: Shot, seconds: int, connections: int, core: int, scratch: Path) -> Load:
    """Repeat a request for a while.

    Args:
        shot: The request.
        seconds: Duration.
        connections: Number of concurrent connections.
        core: Core that `wrk` is pinned to.
        scratch: Directory for its script.

    Raises:
        RuntimeError: Some response was not a 200.
    """
    script = scratch / "shot.lua"
    headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in shot.headers.items())
    body = f"[==[{shot.body}]==]" if shot.body else "nil"
    script.write_text(_SCRIPT.format(method=shot.method, body=body, headers=headers))
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        f"--timeout={TIMEOUT_S}s",
        "-s",
        str(script),
        shot.url,
    ]
    before_s = _children_cpu_s()
    done = subprocess.run([*pinned(core), *command], capture_output=True, text=True, check=True)
    spent_s = _children_cpu_s() - before_s
    match = _RESULT.search(done.stdout)
    if match is None:
        raise RuntimeError(f"wrk printed no readable result: {done.stdout} {done.stderr}")
    requests, duration_us, p50_us, p95_us, p99_us, errors = (int(figure) for figure in match.groups())
    if errors:
        raise RuntimeError(f"{errors} of {requests} responses failed")
    if not requests:
        raise RuntimeError(f"no response within {seconds} s")
    return Load(requests, duration_us / 1e6, p50_us / 1000, p95_us / 1000, p99_us / 1000, spent_s)


def _children_cpu_s() -> float:
    """Return the CPU time of the child processes that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
