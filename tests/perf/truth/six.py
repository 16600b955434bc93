"""Six cases in which a load generator is easily wrong: the truth, and what `choirbook perf test` reports."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tests.perf.truth.accuracy import TOLERANCE, TOLERANCE_MS
from tests.perf.truth.apparatus import PERCENTS, between, reference_client
from tests.perf.truth.runs import Observed, Report, observe, perf_test, scenario_file, spread
from tests.support import servers

_RUN_S = 20
_STALL_S = 30
_USERS = ("--users", "30", "--spawn-rate", "30")
_MANY = ("--users", "100", "--spawn-rate", "100")
_ERROR = "choirbook perf: "
_SAME_ORDER = 2.0
_SAME_RATE = 0.1


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The report of one command."""

    options: str
    """Options of `choirbook perf test`, without the server's address."""
    exit_code: int
    requests: int
    failed: int
    requests_per_s: float
    ms: dict[str, float]
    """Percentiles, such as `p95`."""
    corrected_ms: dict[str, float] = {}
    """The same with the requests that users would have made; empty in the open model."""
    said: str
    """Message on stderr; "" if there is none."""
    is_right: bool


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table."""

    server: str
    truth: dict[str, float]
    """Figures of the truth server's log, of the independent client, or of wrk."""
    told: list[Told]


def cases(*, has_open_loop: bool = True) -> Iterator[Case]:
    """Run all six.

    Args:
        has_open_loop: Whether `choirbook perf test` knows `--rate`; its first version did not.
    """
    yield hang()
    yield drop()
    yield wrong()
    yield stall(has_open_loop=has_open_loop)
    yield light()
    yield closed()


def hang() -> Case:
    """Load a server that answers nothing from second 10 of 20 on, the floor and the warm-up not counted."""
    seen = observe("hang", "from_s=14", load=_load(_USERS, _RUN_S), patience_s=1)
    return _counted("hangs from second 10 of 20 on", "never answered", seen, "held")


def drop() -> Case:
    """Load a server that drops every second connection unanswered."""
    seen = observe("drop", load=_load(_USERS, _RUN_S))
    return _counted("drops every second connection unanswered", "lost", seen, "dropped")


def wrong() -> Case:
    """Load a server that sends another body in 1 % of its responses."""
    seen = observe("wrong", load=_load(_USERS, _RUN_S))
    return _counted("1 % of responses are 200 with a different body", "wrong", seen, "wrong")


def stall(*, has_open_loop: bool) -> Case:
    """Load a server that stalls for 2 s in every 10 s."""
    seen = observe("stall", load=_load(_USERS, _STALL_S))
    told = [_told(seen.report, is_right=_is_corrected(seen))]
    if has_open_loop:
        seen = observe("stall", load=_load(("--rate", "100"), _STALL_S))
        p95, true = seen.report.percentile_ms(95), seen.truth_ms()["p95"]
        told.append(_told(seen.report, is_right=abs(p95 - true) <= TOLERANCE * true))
    return Case(server="stalls for 2 s in every 10 s", truth=_latencies(seen.truth_ms()), told=told)


def light() -> Case:
    """Load Choirbook with 100 users."""
    with _choirbook() as (server, path, scratch, scenario):
        with reference_client(scratch, server.url + path, 50) as client:
            load = ("--users", "100", "--spawn-rate", "10", "--run-time", "30s")
            report = perf_test("--url", server.url, "--scenario", scenario, *load)
            samples, end_s = client.samples(), time.time()
        truth = spread(between(samples, *report.period_s()), end_s)
    is_right = all(
        abs(report.percentile_ms(percent) - truth[f"p{percent}"])
        <= max(TOLERANCE * truth[f"p{percent}"], TOLERANCE_MS)
        for percent in PERCENTS
    )
    told = _told(report, is_right=is_right)
    return Case(server="Choirbook with 100 users", truth=_latencies(truth), told=[told])


def closed() -> Case:
    """Load Choirbook with 100 users without think time, and then with wrk."""
    with _choirbook() as (server, path, _, scenario):
        load = (*_MANY, "--think-time", "none", "--run-time", "12s")
        report = perf_test("--url", server.url, "--scenario", scenario, *load)
        truth = _wrk(server.url + path)
    told = _told(report, is_right=False)
    is_rate = abs(told.requests_per_s / truth["wrk requests/s"] - 1) <= _SAME_RATE
    # Slower than wrk, it has no more to say than that it was the bottleneck itself.
    told = msgspec.structs.replace(told, is_right=is_rate or told.exit_code == 3)
    return Case(server="Choirbook with 100 users, closed loop", truth=truth, told=[told])


@contextmanager
def _choirbook() -> Iterator[tuple[servers.Server, str, Path, Path]]:
    """Run a Choirbook; yields it, the path of a document, a directory, and a scenario with that document."""
    with tempfile.TemporaryDirectory(prefix="truth-") as scratch:
        directory = Path(scratch)
        library = servers.write_library(directory / "library")
        with servers.running(servers.rsgi_command(library), directory / "server") as server:
            with server.client() as client:
                path = str(client.get("/mcp/resources").json()["resources"][0]["href"])
            with scenario_file(path) as scenario:
                yield server, path, directory, scenario


def _wrk(url: str) -> dict[str, float]:
    done = subprocess.run(
        ["wrk", "-t1", "-c100", "-d8s", "--latency", url], capture_output=True, text=True, check=True
    )
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    p50 = re.search(r"50%\s+([\d.]+)(us|ms)", done.stdout)
    assert rate, done.stdout
    assert p50, done.stdout
    p50_ms = float(p50[1]) / (1000 if p50[2] == "us" else 1)
    return {"wrk requests/s": round(float(rate[1])), "wrk p50 ms": round(p50_ms, 2)}


def _load(shape: tuple[str, ...], run_time_s: int) -> tuple[str, ...]:
    return (*shape, "--run-time", f"{run_time_s}s")


def _counted(server: str, name: str, seen: Observed, what: str) -> Case:
    failed = seen.did(what)
    is_right = seen.report.failed() == failed and seen.report.exit_code == 1
    return Case(
        server=server,
        truth={name: failed, "requests": len(seen.records)},
        told=[_told(seen.report, is_right=is_right)],
    )


def _latencies(truth: dict[str, float]) -> dict[str, float]:
    return {f"{name} ms": round(value, 2) for name, value in truth.items()}


def _is_corrected(seen: Observed) -> bool:
    """Return whether a closed loop says that users were held back, and gives a p95 of the right order."""
    corrected, true = seen.report.percentile_ms(95, "corrected_counts"), seen.truth_ms()["p95"]
    return (
        bool(seen.report.generator.get("held_back")) and true / _SAME_ORDER <= corrected <= true * _SAME_ORDER
    )


def _told(report: Report, *, is_right: bool) -> Told:
    hidden = {"--url", "--scenario"}
    words = iter(report.arguments)
    shown = [word for word in words if word not in hidden or not next(words)]
    errors = [line for line in report.stderr.splitlines() if line.startswith(_ERROR)]
    has_corrected = any(series.get("corrected_counts") for series in report.series)
    duration_s = report.result["duration_s"] if report.result else 0
    measured = sum(count for series in report.series for _, count in series["counts"])
    return Told(
        options=" ".join(shown),
        exit_code=report.exit_code,
        requests=report.requests(),
        failed=report.failed(),
        requests_per_s=round(measured / duration_s, 1) if duration_s else 0.0,
        ms=_percentiles(report, "counts"),
        corrected_ms=_percentiles(report, "corrected_counts") if has_corrected else {},
        said=errors[-1].removeprefix(_ERROR) if errors else "",
        is_right=is_right,
    )


def _percentiles(report: Report, counts: str) -> dict[str, float]:
    return {f"p{percent}": report.percentile_ms(percent, counts) for percent in PERCENTS}
