"""perf of Linux, run like by a user: samples of the kernel and native code, or why there are none."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from choirbook_perf.children import child
from choirbook_perf.errors import ToolMissing
from choirbook_perf.profiling import cpu
from choirbook_perf.profiling.native_stacks import NativeSamples, parse

EVENT = "cpu-clock"
"""Clock of the kernel, which exists without hardware counters; each sample stands for the same CPU time."""

STACK_BYTES = 16_384
"""Bytes of stack that a sample copies, to be unwound later: Python and Granian have no frame pointers."""

_PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")
_USER_CODE_ONLY = 2
"""From this level on, users without a capability may not sample the kernel."""
_NOTHING = 3
"""Level of Debian's kernels at which users without a capability may sample nothing."""
_FORBIDDEN = re.compile(r"permission|access to performance|not permitted|EACCES|EPERM", re.IGNORECASE)
_UNSUPPORTED = re.compile(
    r"not supported|not found for kernel|ENOENT|function not implemented", re.IGNORECASE
)
_MARGIN_S = 20.0
_READ_DEADLINE_S = 120.0
_ALLOW = (
    "Run the command as root, allow it with 'sysctl kernel.perf_event_paranoid=1', or give perf the "
    "capability PERFMON; a container also needs a seccomp profile that allows perf_event_open."
)


class PerfRecorded(NamedTuple):
    """Result of one recording."""

    native: NativeSamples
    cpu: cpu.CpuTime
    """CPU time of the processes while they were sampled."""
    window_s: float
    note: str
    """Parts that the samples lack, with the reason; "" if they lack none."""


def find_perf() -> Path:
    """Return the path of perf.

    Raises:
        ToolMissing: It is not installed.
    """
    found = shutil.which("perf")
    if found is None:
        raise ToolMissing("perf is not installed. Install it, on Debian with: apt-get install linux-perf")
    return Path(found)


def record(pid: int, duration_s: int, rate_hz: int) -> PerfRecorded:
    """Sample the kernel and native code of a process and its descendants.

    Args:
        pid: Process id.
        duration_s: Length of the recording, in seconds.
        rate_hz: Samples per second and core.

    Raises:
        ToolMissing: perf is not installed, or may not sample the process.
    """
    perf = str(find_perf())
    processes = ",".join(map(str, cpu.processes_of(pid)))
    with tempfile.TemporaryDirectory(prefix="choirbook-perf-") as directory, tempfile.TemporaryFile() as said:
        data = f"{directory}/perf.data"
        command = [perf, "record", "--event", EVENT, "--freq", str(rate_hz)]
        command += ["--call-graph", f"dwarf,{STACK_BYTES}", "--output", data, "--pid", processes]
        # Without its cache of build ids, which it would leave in the home directory.
        command += ["--no-buildid", "--no-buildid-cache", "--", "sh", "-c", f"echo; sleep {duration_s}; echo"]
        with child(command, stdout=subprocess.PIPE, stderr=said) as process:
            assert process.stdout is not None
            # perf enables its events, and then starts the shell: reading symbols is not part of the window.
            process.stdout.readline()
            before, began = cpu.snapshot(pid), time.monotonic()
            process.stdout.readline()
            spent, window_s = cpu.between(before, cpu.snapshot(pid)), time.monotonic() - began
            process.wait(_MARGIN_S)
        if process.returncode != 0:
            said.seek(0)
            raise refusal(pid, said.read().decode(errors="replace"))
        native = _read(perf, data)
    return PerfRecorded(native, spent, window_s, "" if native.has_kernel else _without_kernel())


def refusal(pid: int, told: str) -> ToolMissing:
    """Return the error for a message of perf."""
    level = _paranoid()
    if _FORBIDDEN.search(told):
        reason = f"kernel.perf_event_paranoid is {level}" if level is not None else "the kernel refuses it"
        if level is not None and level < _USER_CODE_ONLY:
            reason += ", which allows it, so a capability or a seccomp profile forbids it"
        return ToolMissing(f"perf has no permission to sample process {pid}: {reason}. {_ALLOW}")
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    first = lines[0].removeprefix("Error:").strip() if lines else ""
    reason = first or next(iter(lines[1:]), "no output")
    if _UNSUPPORTED.search(told):
        return ToolMissing(f"perf does not work with this kernel: {reason}. Install the perf of this kernel.")
    return ToolMissing(f"perf cannot sample process {pid}: {reason}")


def _without_kernel() -> str:
    return (
        f"The kernel was not sampled: kernel.perf_event_paranoid is {_paranoid()}, so perf may only sample "
        f"user code. {_ALLOW}"
    )


def _paranoid() -> int | None:
    try:
        return int(_PARANOID.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _read(perf: str, data: str) -> NativeSamples:
    command = [perf, "script", "--input", data, "--no-inline", "-F", "comm,pid,tid,event,ip,sym,dso"]
    try:
        done = subprocess.run(  # noqa: S603 - arguments of our own making
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_READ_DEADLINE_S,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolMissing(
            f"perf did not unwind its samples within {_READ_DEADLINE_S:g} s. Lower --rate or --duration."
        ) from error
    if done.returncode != 0:
        told = done.stderr.strip().splitlines()
        raise ToolMissing(f"perf cannot read its own samples: {told[-1] if told else 'no output'}")
    return parse(done.stdout.splitlines())
