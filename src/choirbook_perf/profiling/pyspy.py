"""py-spy, run like by a user: samples of a process, and its message if it lacks permission."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from choirbook_perf.errors import BadInput, PerfError, ToolMissing

FORMATS = ("speedscope", "flamegraph")

_FORBIDDEN = re.compile(r"permission denied|not permitted|EPERM|os error (1|13)\)", re.IGNORECASE)
_GONE = re.compile(r"no such (file|process)|os error (2|3)\)", re.IGNORECASE)
_SAMPLES = re.compile(r"Samples: (\d+)")
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


def record(pid: int, form: str, path: Path, how: Recording) -> int:
    """Sample a process and its children.

    Args:
        pid: Process id.
        form: One of `FORMATS`.
        path: File for the profile.
        how: See `Recording`.

    Returns:
        The number of samples.

    Raises:
        ToolMissing: py-spy is not installed, or may not examine the process.
        BadInput: There is no such process, or it does not run Python.
    """
    command = [str(find_py_spy()), "record", "--pid", str(pid), "--subprocesses", "--format", form]
    command += ["--duration", str(how.duration_s), "--rate", str(how.rate_hz), "--output", str(path)]
    command += [] if how.all_threads else ["--gil"]
    try:
        done = subprocess.run(  # noqa: S603 - arguments of our own making
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=how.duration_s + _MARGIN_S,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolMissing(f"py-spy did not finish with process {pid} in time. Try a lower --rate.") from error
    if done.returncode != 0 or not path.is_file():
        raise failure_of(pid, _reason(pid) or done.stderr)
    samples = _SAMPLES.search(done.stdout + done.stderr)
    return int(samples[1]) if samples else 0


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
