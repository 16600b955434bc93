"""The truth server and the independent client as child processes, and the figures that they give."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.perf.truth import log
from tests.perf.truth.log import Record

ROOT = Path(__file__).resolve().parents[3]
PERCENTS = (50, 90, 95, 99)
_DEADLINE_S = 30.0


class Sample(NamedTuple):
    """One request of the independent client; times in seconds since the epoch."""

    intended_s: float
    sent_s: float
    done_s: float
    outcome: str

    def latency_s(self, end_s: float) -> float:
        """Return the time from the intended send, up to `end_s` for a request without an end."""
        return (self.done_s or end_s) - self.intended_s


@dataclass(frozen=True, slots=True)
class TruthServer:
    """A running truth server."""

    process: subprocess.Popen[str]
    url: str
    log_file: Path

    @property
    def document(self) -> str:
        """URL of the document that the product reads."""
        return self.url + log.PRODUCT

    def records(self, document: str = log.PRODUCT) -> list[Record]:
        """End the server, and return what it did to the requests for a document."""
        _end(self.process)
        return log.read(self.log_file, document)


class ReferenceClient:
    """A running independent client."""

    def __init__(self, process: subprocess.Popen[str], out: Path) -> None:
        self._process = process
        self._out = out

    def samples(self) -> list[Sample]:
        """Stop it, wait for its requests under way, and return all requests."""
        _end(self._process)
        rows = (json.loads(line) for line in self._out.read_text("utf-8").splitlines())
        return [Sample(*row) for row in rows]


@contextmanager
def truth_server(directory: Path, mode: str, *options: str) -> Iterator[TruthServer]:
    """Run a truth server.

    Args:
        directory: Where its log is written.
        mode: Key of `modes.MODES`.
        options: Of the mode, such as `ms=5`.
    """
    log_file = directory / f"{mode}-{time.time_ns()}.log"
    words = ["tests.perf.truth.server", mode, *options, "--log", str(log_file)]
    with _running(words) as process:
        yield TruthServer(process, _line(process), log_file)


@contextmanager
def reference_client(
    directory: Path, url: str, rate: float, *options: str, patience_s: float = 5.0
) -> Iterator[ReferenceClient]:
    """Run an independent client.

    Args:
        directory: Where its samples are written.
        url: Document to read.
        rate: Requests per second.
        options: Further options of the program.
        patience_s: How long it waits in the end for responses under way.
    """
    out = directory / f"reference-{time.time_ns()}.json"
    words = ["tests.perf.truth.reference", url, "--rate", f"{rate:g}", "--out", str(out)]
    with _running([*words, "--patience", f"{patience_s:g}", *options]) as process:
        _line(process)
        yield ReferenceClient(process, out)


def between(samples: Iterable[Sample], start_s: float, end_s: float) -> list[Sample]:
    """Return the samples that were intended in a period."""
    return [sample for sample in samples if start_s <= sample.intended_s < end_s]


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that `percent` of all do not exceed; NaN without values."""
    ordered = sorted(values)
    return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1] if ordered else math.nan


def latencies_ms(samples: Iterable[Sample], end_s: float) -> list[float]:
    """Return all latencies in milliseconds; those of requests without an end reach up to `end_s`."""
    return [sample.latency_s(end_s) * 1000 for sample in samples]


@contextmanager
def _running(words: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        _end(process)
        assert process.stdout is not None
        process.stdout.close()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    told = process.stdout.readline().strip()
    assert told, "the process ended before it was ready"
    return told


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(_DEADLINE_S)
