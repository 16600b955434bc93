"""Load generators that are kept from running: by busy loops on their cores, or by a signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.perf.truth import log
from tests.perf.truth.runs import Observed, observe
from tests.support.waiting import eventually_sync

STOP_S = 0.2
SLO = 'thresholds = ["p99 < 10"]\n'
"""Thresholds that a run would fail if a pause of the generator were taken for the server's."""
_GENERATOR = "choirbook_perf.engine.process"
_DEADLINE_S = 60.0
_BUSY = "import os, sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\nwhile True: pass"


def starved(load: list[str | Path]) -> Observed:
    """Run `choirbook perf test` beside a busy loop on each of the two cores that it may use."""
    cores = sorted(os.sched_getaffinity(0))[:2]

    def confine(pid: int, _: Path) -> None:
        os.sched_setaffinity(pid, cores)

    with _busy(cores):
        return observe("fixed", "ms=2", load=load, rate=20, during=confine)


def stopped(load: list[str | Path], after_requests: int) -> Observed:
    """Run `choirbook perf test`, and stop the process that generates the load for 200 ms.

    Args:
        load: Options of `choirbook perf test`.
        after_requests: How many requests the server has seen when it is stopped.
    """

    def stop(pid: int, log_file: Path) -> None:
        eventually_sync(lambda: _requests(log_file) >= after_requests or _has_ended(pid), _DEADLINE_S)
        if _has_ended(pid):
            return  # its report says why
        generator = generator_pid(pid)
        os.kill(generator, signal.SIGSTOP)
        time.sleep(STOP_S)  # the fault itself
        os.kill(generator, signal.SIGCONT)

    return observe("fixed", "ms=2", load=load, rate=20, during=stop)


def generator_pid(pid: int) -> int:
    """Return the process that generates the load, among the descendants of a `choirbook perf`."""
    for child in _descendants(pid):
        words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        if any(word.startswith(_GENERATOR.encode()) for word in words):
            return child
    raise AssertionError(f"no process of {pid} runs {_GENERATOR}")


def _descendants(pid: int) -> Iterator[int]:
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, tasks.read_text("utf-8").split()):
            yield child
            yield from _descendants(child)


def _has_ended(pid: int) -> bool:
    """Return whether a child process that nobody waited for yet has ended."""
    return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] == "Z"


def _requests(log_file: Path) -> int:
    return log_file.read_bytes().count(f'"path":"{log.PRODUCT}"'.encode())


@contextmanager
def _busy(cores: list[int]) -> Iterator[None]:
    """Keep cores busy, each by one process."""
    loops = [subprocess.Popen([sys.executable, "-c", _BUSY, str(core)]) for core in cores]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
