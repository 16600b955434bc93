"""py-spy, run like by a user: samples of a process, and its message if it lacks permission."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, NamedTuple

from choirbook_perf.children import child
from choirbook_perf.errors import BadInput, PerfError, ToolMissing
from choirbook_perf.profiling import cpu

_FORBIDDEN = re.compile(r"permission denied|not permitted|EPERM|os error (1|13)\)", re.IGNORECASE)
_GONE = re.compile(r"no such (file|process)|os error (2|3)\)", re.IGNORECASE)
_STARTED = "Sampling process"
_BEHIND = "behind in sampling"
_WRITTEN = re.compile(r"Samples: (?P<samples>\d+) Errors: (?P<errors>\d+)")
_MARGIN_S = 60.0
"""Time for attaching, and for writing the samples, in seconds."""


def find_py_spy(places: Iterable[Path] | None = None) -> Path:
    """Return the path of py-spy.

    Args:
        places: Directories to search; beside this Python and on PATH by default.

    Raises:
        ToolMissing: It is not installed.
    """
    directories = [str(place) for place in ([Path(sys.executable).parent] if places is None else places)]
    found = next((path for place in directories if (path := shutil.which("py-spy", path=place))), None)
    if found is None and places is None:
        found = shutil.which("py-spy")
    if found is None:
        raise ToolMissing("py-spy is not installed. Install it with: pip install 'choirbook[perf]'")
    return Path(found)


class Recording(NamedTuple):
    """Options of sampling."""

    duration_s: int
    rate_hz: int
    """Samples per second."""
    all_threads: bool
    """Includes threads that do not hold the interpreter's lock. py-spy then counts some that wait as busy."""

    @property
    def intervals(self) -> int:
        """Number of times that a process is looked at."""
        return self.duration_s * self.rate_hz


class Recorded(NamedTuple):
    """Result of one recording."""

    samples: int
    """Number of stacks, of all threads that were recorded."""
    errors: int
    """Number of stacks that could not be read."""
    fell_behind: bool
    """Whether py-spy could not keep up with the rate."""
    window_s: float
    """Time between the first and the last look."""
    cpu: cpu.CpuTime
    """CPU time of the process and its descendants in this time."""


def record(pid: int, path: Path, how: Recording) -> Recorded:
    """Sample a process and its children, and measure their CPU time meanwhile.

    Args:
        pid: Process id.
        path: File for the samples, in the format of speedscope.
        how: See `Recording`.

    Raises:
        ToolMissing: py-spy is not installed, or may not examine the process.
        BadInput: There is no such process, or it does not run Python.
    """
    command = [str(find_py_spy()), "record", "--pid", str(pid), "--subprocesses", "--format", "speedscope"]
    command += ["--duration", str(how.duration_s), "--rate", str(how.rate_hz), "--output", str(path)]
    command += [] if how.all_threads else ["--gil"]
    with child(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        watchdog = threading.Timer(how.duration_s + _MARGIN_S, process.kill)
        watchdog.start()
        try:
            followed = _follow(pid, process.stdout)
        finally:
            process.wait()
            is_late = not watchdog.is_alive()
            watchdog.cancel()
    if is_late:
        raise ToolMissing(f"py-spy did not finish with process {pid} in time. Try a lower --rate.")
    if process.returncode != 0 or not path.is_file() or followed.recorded is None:
        raise failure_of(pid, _reason(pid) or followed.told)
    return followed.recorded


class _Followed(NamedTuple):
    recorded: Recorded | None
    told: str


def _follow(pid: int, output: IO[bytes]) -> _Followed:
    """Follow py-spy's output, and measure the CPU time from the line at its start to that at its end."""
    before, began = cpu.snapshot(pid), time.monotonic()
    recorded = None
    lines = []
    for raw in output:
        line = raw.decode(errors="replace")
        lines.append(line)
        if _STARTED in line:
            # It reads the process's symbols before, which may take longer than the sampling.
            before, began = cpu.snapshot(pid), time.monotonic()
        elif written := _WRITTEN.search(line):
            window_s = time.monotonic() - began
            spent = cpu.between(before, cpu.snapshot(pid))
            fell_behind = any(_BEHIND in line for line in lines)
            recorded = Recorded(int(written["samples"]), int(written["errors"]), fell_behind, window_s, spent)
    return _Followed(recorded, "".join(lines))


def _reason(pid: int) -> str:
    """Return py-spy's message about one process; with child processes included, it omits the reason."""
    command = [str(find_py_spy()), "dump", "--pid", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - as above
    return done.stderr if done.returncode else ""


def failure_of(pid: int, told: str) -> PerfError:
    """Return the error for a message of py-spy."""
    if _FORBIDDEN.search(told):
        return ToolMissing(
            f"py-spy has no permission to inspect process {pid}. Run the command as root, allow it with "
            "'sysctl kernel.yama.ptrace_scope=0', or give a container the capability SYS_PTRACE."
        )
    if _GONE.search(told):
        return BadInput(f"There is no process {pid} to profile. Pass the id of a running server with --pid.")
    first = next((line for line in told.splitlines() if line.startswith("Error:")), told.strip()[:200])
    reason = first.removeprefix("Error:").strip() or "no output"
    return BadInput(f"py-spy cannot profile process {pid}: {reason}")
