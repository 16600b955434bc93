"""A generator that is stopped or starved says so: exit 3, never a verdict about the server. Runs alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.perf.processes import DEADLINE_S, REPOSITORY, command
from tests.perf.truth.apparatus import truth_server
from tests.perf.truth.runs import scenario_file
from tests.support.waiting import eventually_sync

STOP_S = 0.2
LOAD = ("--rate", "100", "--run-time", "4s")


def _children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text("ascii").split():
            yield int(child)
            yield from _children(int(child))


def _generator_of(pid: int) -> int | None:
    """Return the process that makes the load of a run."""
    for child in _children(pid):
        words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        if b"choirbook_perf.engine.process" in words:
            return child
    return None


@contextmanager
def _run(out: Path, url: str, scenario: Path) -> Iterator[subprocess.Popen[str]]:
    words = command("test", "--url", url, "--scenario", scenario, *LOAD, "--out", out)
    process = subprocess.Popen(
        words, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _generator(out: Path) -> dict[str, Any]:
    generator: dict[str, Any] = json.loads((out / "result.json").read_bytes())["generator"]
    return generator


def test_a_generator_that_was_stopped_for_200_ms_is_invalid(tmp_path: Path) -> None:
    with (
        truth_server(tmp_path, "fixed", "ms=5") as server,
        scenario_file() as scenario,
        _run(tmp_path / "out", server.url, scenario) as process,
    ):
        pid = eventually_sync(lambda: _generator_of(process.pid))
        # Within the load: the floor takes a second and a half, the warm-up two seconds.
        asked = eventually_sync(lambda: _requests(server.log) > 100, DEADLINE_S)
        assert asked
        os.kill(pid, signal.SIGSTOP)
        time.sleep(STOP_S)  # the stop itself
        os.kill(pid, signal.SIGCONT)
        _, told = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 3, told
    generator = _generator(tmp_path / "out")
    assert not generator["is_valid"]
    assert any("stood still" in reason for reason in generator["reasons"])


def _requests(log: Path) -> int:
    return log.read_bytes().count(b"\n")


@contextmanager
def _busy(count: int) -> Iterator[None]:
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@pytest.mark.parametrize("server_ms", [1, 20])
def test_a_generator_that_is_starved_by_two_busy_loops_is_invalid(server_ms: int, tmp_path: Path) -> None:
    cores = os.sched_getaffinity(0)
    # Two busy loops starve a process of two cores; the run and its server get no others either.
    os.sched_setaffinity(0, set(sorted(cores)[:2]))
    try:
        with (
            truth_server(tmp_path, "fixed", f"ms={server_ms}") as server,
            scenario_file() as scenario,
            _busy(2),
            _run(tmp_path / "out", server.url, scenario) as process,
        ):
            _, told = process.communicate(timeout=DEADLINE_S)
    finally:
        os.sched_setaffinity(0, cores)
    assert process.returncode == 3, told
    assert not _generator(tmp_path / "out")["is_valid"]
