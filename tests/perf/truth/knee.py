"""`choirbook perf capacity` at a queue of known capacity: 2 ms for each request, one after the other."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from tests.perf.truth.apparatus import ROOT, truth_server
from tests.perf.truth.runs import scenario_file

SERVICE_MS = 2
TRUE_RATE = 1000 / SERVICE_MS
TOLERANCE = 0.05
SLO = 'thresholds = ["p95 < 100", "failures.rate == 0"]\n'
"""The mission's p95. A queue keeps it up to 97 % of its capacity, even with Poisson arrivals."""
_DEADLINE_S = 900.0


class Knee(msgspec.Struct, frozen=True, kw_only=True):
    """The report of one command."""

    options: str
    exit_code: int
    rate: float
    """The knee, 0 if there was no answer."""
    low: float
    high: float
    measurements: int

    def is_within(self) -> bool:
        """Return whether the knee is at the capacity of the queue."""
        return abs(self.rate / TRUE_RATE - 1) <= TOLERANCE


def knee(*options: str) -> Knee:
    """Measure the capacity of the queue with `choirbook perf capacity`.

    Args:
        options: Further options of `choirbook perf capacity`.
    """
    with tempfile.TemporaryDirectory(prefix="truth-") as scratch, scenario_file() as scenario:
        directory = Path(scratch)
        slo = directory / "slo.toml"
        slo.write_text(SLO, "utf-8")
        with truth_server(directory, "queue", f"ms={SERVICE_MS}") as server:
            words = ["--url", server.url, "--scenario", str(scenario), "--slo", str(slo), *options]
            found, exit_code = _capacity(words, directory / "out")
    return Knee(
        options=" ".join(options),
        exit_code=exit_code,
        rate=found["rate"] or 0.0,
        low=found["low"] or 0.0,
        high=found["high"] or 0.0,
        measurements=len(found["points"]),
    )


def _capacity(words: list[str], out: Path) -> tuple[dict[str, Any], int]:
    done = subprocess.run(
        [sys.executable, "-m", "choirbook", "perf", "capacity", *words, "--json", "--out", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
    )
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found, done.returncode
