"""Runs of `choirbook perf test` on a truth server beside an independent client."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tests.perf.truth import log
from tests.perf.truth.apparatus import (
    PERCENTS,
    ROOT,
    Sample,
    between,
    latencies_ms,
    percentile,
    reference_client,
    truth_server,
)
from tests.perf.truth.log import Record

_DEADLINE_S = 240.0
DISTURBED_S = 0.001
"""Delay at p99 of the independent client's requests, which are few, above which the machine is disturbed."""
_SCENARIO = """name = "truth"
[[task]]
name = "doc"
resources = ["{document}"]
"""
Percentiles = dict[str, float]


class Report(NamedTuple):
    """A finished `choirbook perf test`."""

    arguments: tuple[str, ...]
    exit_code: int
    result: dict[str, Any] | None
    """Result file; None if there is none."""
    stdout: str
    stderr: str

    @property
    def series(self) -> list[dict[str, Any]]:
        """Series of the result, [] without one."""
        return self.result["series"] if self.result else []

    @property
    def generator(self) -> dict[str, Any]:
        """The generator's description of itself; {} for results of format 1."""
        return self.result.get("generator", {}) if self.result else {}

    def failed(self) -> int:
        """Return the number of failed requests, in all phases of the run."""
        if phases := self._phases():
            return sum(int(phase["failures"]) for phase in phases)
        return sum(int(series["failures"]) for series in self.series)

    def requests(self) -> int:
        """Return the number of requests, in all phases of the run."""
        if phases := self._phases():
            return sum(int(phase["requests"]) for phase in phases)
        counted = sum(int(count) for series in self.series for _, count in series["counts"])
        is_first_format = self.result is not None and self.result["format"] == 1
        return counted + (self.failed() if is_first_format else 0)

    def percentile_ms(self, percent: float, counts: str = "counts") -> float:
        """Return a percentile over all series, by nearest rank.

        Args:
            percent: Such as 95.
            counts: Name of the histogram.
        """
        values: list[tuple[int, int]] = sorted(
            (value_us, count) for series in self.series for value_us, count in series.get(counts, [])
        )
        total = sum(count for _, count in values)
        rank = max(1, math.ceil(total * percent / 100))
        for value_us, count in values:
            rank -= count
            if rank <= 0:
                return value_us / 1000
        return math.nan

    def began_s(self) -> float:
        """Return the start of the load, in seconds since the epoch."""
        assert self.result is not None
        return datetime.fromisoformat(self.result["started"]).timestamp()

    def period_s(self) -> tuple[float, float]:
        """Return start and end of the part that the series are of, in seconds since the epoch."""
        assert self.result is not None
        start_s = self.began_s()
        measured = [phase for phase in self._phases() if phase["kind"] == "measured"]
        if not measured:
            return start_s, start_s + self.result["duration_s"]
        last = measured[-1]
        return start_s + measured[0]["start_s"], start_s + last["start_s"] + last["duration_s"]

    def _phases(self) -> list[dict[str, Any]]:
        return self.result.get("phases", []) if self.result else []


class Observed(NamedTuple):
    """A run on a truth server, as all three saw it."""

    report: Report
    records: list[Record]
    """Requests of the load generator, by the server's log."""
    samples: list[Sample]
    """Requests of the independent client."""
    ended_s: float

    def did(self, *what: str) -> int:
        """Return how many requests of the load generator the server treated so."""
        return sum(record.did in what for record in self.records)

    def was_disturbed(self) -> bool:
        """Return whether the machine kept the independent client from sending on time, too."""
        period = between(self.samples, *self.report.period_s())
        late_s = sorted(each.sent_s - each.intended_s for each in period if each.sent_s)
        return bool(late_s) and late_s[int(0.99 * (len(late_s) - 1))] > DISTURBED_S

    def truth_ms(self) -> Percentiles:
        """Return the percentiles of the independent client, over the period of the report."""
        return spread(between(self.samples, *self.report.period_s()), self.ended_s)

    def reported_ms(self, counts: str = "counts") -> Percentiles:
        """Return the percentiles of the report, from one of its histograms."""
        return {f"p{percent}": self.report.percentile_ms(percent, counts) for percent in PERCENTS}


def spread(samples: Sequence[Sample], end_s: float) -> Percentiles:
    """Return the percentiles of an independent client, in milliseconds."""
    latencies = latencies_ms(samples, end_s)
    return {f"p{percent}": percentile(latencies, percent) for percent in PERCENTS}


def perf_test(*arguments: str | Path, during: Callable[[int], None] | None = None) -> Report:
    """Run `choirbook perf test` to its end, whatever its verdict.

    Args:
        arguments: Options.
        during: Called once, with the process id, while it runs.
    """
    words = [str(argument) for argument in arguments]
    with tempfile.TemporaryDirectory(prefix="truth-") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "choirbook", "perf", "test", *words, "--out", out],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            if during is not None:
                during(process.pid)
            stdout, stderr = process.communicate(timeout=_DEADLINE_S)
        finally:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=_DEADLINE_S)
        assert "Traceback" not in stderr, stderr
        file = Path(out) / "result.json"
        result = json.loads(file.read_bytes()) if file.exists() else None
    return Report(tuple(words), process.returncode, result, stdout, stderr)


@contextmanager
def scenario_file(document: str = log.PRODUCT) -> Iterator[Path]:
    """Write a scenario that reads one document."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml", prefix="truth-") as file:
        file.write(_SCENARIO.format(document=document))
        file.flush()
        yield Path(file.name)


def observe(
    mode: str,
    *options: str,
    load: Sequence[str | Path],
    rate: float = 50.0,
    patience_s: float = 3.0,
    document: str = log.PRODUCT,
    during: Callable[[int, Path], None] | None = None,
) -> Observed:
    """Run `choirbook perf test` on a truth server, beside an independent client.

    Args:
        mode: Mode of the server.
        options: Of the mode.
        load: Options of `choirbook perf test`.
        rate: Requests per second of the independent client.
        patience_s: How long that client waits for responses in the end.
        document: Path of the document, or its URI over MCP.
        during: Called once while it runs, with the process id and the log of the server.
    """
    with tempfile.TemporaryDirectory(prefix="truth-") as scratch, scenario_file(document) as scenario:
        directory = Path(scratch)
        with (
            truth_server(directory, mode, *options) as server,
            reference_client(directory, server.url + log.REFERENCE, rate, patience_s=patience_s) as client,
        ):
            act = during and partial(_at, during, server.log_file)
            report = perf_test("--url", server.url, "--scenario", scenario, *load, during=act)
            samples = client.samples()
            return Observed(report, server.records(), samples, time.time())


def _at(during: Callable[[int, Path], None], log_file: Path, pid: int) -> None:
    during(pid, log_file)
