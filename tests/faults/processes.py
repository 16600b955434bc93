"""System information about a process, and faults injected into its system calls."""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.servers import DEADLINE_S, wait_for

UNMEASURED = ("env", "-u", "COVERAGE_PROCESS_START", "-u", "COVERAGE_PROCESS_CONFIG")
"""Runs a command of which no coverage is taken: one that may not write to the checkout."""

WITHOUT_PRIVILEGES = (*UNMEASURED, "setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""Runs a command to which permissions apply, though root runs it."""


def need(tool: str, *arguments: str) -> None:
    """Skip a test on a system that lacks a tool, or where it may not do what it is needed for.

    Args:
        tool: A command.
        arguments: Have it do so; it is not tried without.
    """
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed; scripts/install brings it on Debian")
    if arguments:
        tried = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False)
        if tried.returncode != 0:
            pytest.skip(f"{tool} may not do this here: {tried.stderr.strip()}")


def exists(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be collected does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def descriptors(pid: int) -> int:
    """Count what a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def threads(pid: int) -> int:
    """Count its threads."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def memory_bytes(pid: int) -> int:
    """Return the memory that is its own, files left out."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) * 1024


@contextmanager
def without_descriptors(pid: int, left: int = 0) -> Iterator[None]:
    """Keep a process that runs from opening anything more, for as long as the context lasts.

    Args:
        pid: Of the process.
        left: Descriptors that it may open all the same.
    """
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    # Only numbers below the limit are given out, the lowest that is free first.
    numbers = {int(each.name) for each in Path(f"/proc/{pid}/fd").iterdir()}
    free = [number for number in range(max(numbers) + left + 2) if number not in numbers]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free[left], before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


@contextmanager
def failing(pid: int, calls: str, error: str, paths: Sequence[Path] = ()) -> Iterator[None]:
    """Make system calls of a process fail, for as long as the context lasts.

    Args:
        pid: Process id; all of its threads are affected.
        calls: Names of calls, separated by commas.
        error: Such as "EIO".
        paths: Only calls on these files; all if there are none.
    """
    need("strace")
    inject = ["-e", f"trace={calls}", "-e", f"inject={calls}:error={error}"]
    only = [word for path in paths for word in ("-P", str(path))]
    tracer = subprocess.Popen(
        ["strace", "-f", "-o", "/dev/null", *inject, *only, "-p", str(pid)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        wait_for(lambda: _is_traced(pid, tracer), "strace holds all threads")
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=DEADLINE_S)


def _is_traced(pid: int, tracer: subprocess.Popen[bytes]) -> bool:
    if tracer.poll() is not None:
        assert tracer.stderr is not None
        pytest.skip(f"strace may not attach to a process here: {tracer.stderr.read().decode().strip()}")
    tracers = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        lines = (task / "status").read_text("utf-8").splitlines()
        tracers += [int(line.split()[1]) for line in lines if line.startswith("TracerPid:")]
    return set(tracers) == {tracer.pid}
