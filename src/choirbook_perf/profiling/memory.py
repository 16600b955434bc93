"""memray, run like by a user: what a server allocates, by function. Blocking.

A Choirbook of the run's own starts below memray, and its workers with it. A debugger, or Python from version
3.14 on, loads memray into a running server; it then sees only what is allocated from there on.
"""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from choirbook_perf.errors import BadInput, ToolMissing
from choirbook_perf.profiling import cpu
from choirbook_perf.profiling.profiles import SLOWEST, Allocating, ProcessMemory
from choirbook_perf.profiling.stacks import short_file

_NAME = "memory"
_ATTACH_DEADLINE_S = 60.0
_MODULE = (sys.executable, "-P", "-m", "memray")
NO_PYTHON = "(no Python code)"
"""Allocations on threads of native code."""


def require_memray() -> None:
    """Check that memray is installed.

    Raises:
        ToolMissing: It is not.
    """
    if find_spec("memray") is None:
        raise ToolMissing("memray is not installed. Install it with: pip install 'choirbook[memory]'")


def running_under(directory: Path) -> list[str]:
    """Return the arguments of Python that run a module below memray, with the processes that it forks."""
    return [
        "-m",
        "memray",
        "run",
        "--quiet",
        "--follow-fork",
        "--no-compress",
        "--output",
        str(directory / _NAME),
    ]


@contextmanager
def attached(pid: int, directory: Path) -> Iterator[None]:
    """Record the allocations of a running process and its descendants as long as the context lasts.

    Raises:
        BadInput: There is no such process, or it does not run Python.
        ToolMissing: memray finds no debugger, or may not use it.
    """
    processes = cpu.processes_of(pid)
    if not processes:
        raise BadInput(f"There is no process {pid} to profile. Pass the id of a running server with --pid.")
    followed: list[int] = []
    try:
        for each in processes:
            name = _NAME if each == pid else f"{_NAME}.{each}"
            _memray("attach", "--output", str(directory / name), "--no-compress", str(each))
            followed.append(each)
        yield
    finally:
        for each in followed:
            _memray("detach", str(each))


def _memray(*arguments: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - arguments of our own making
            [*_MODULE, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_ATTACH_DEADLINE_S,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolMissing(f"memray did not attach to process {arguments[-1]} in time.") from error
    if done.returncode != 0:
        told = " ".join((done.stdout + done.stderr).split())
        raise ToolMissing(
            f"memray cannot attach to process {arguments[-1]}: {told[:300]} Install gdb, and run the command "
            "as root or with the capability SYS_PTRACE; or omit --pid, which starts a Choirbook below memray."
        )


def read(directory: Path) -> list[ProcessMemory]:
    """Read what memray recorded of the processes of one server.

    Raises:
        ToolMissing: It recorded nothing.
    """
    files = sorted(directory.glob(f"{_NAME}*"), key=lambda path: (len(path.name), path.name))
    if not files:
        raise ToolMissing("memray recorded nothing. See the server's log for the reason.")
    names = ["server", *(f"worker {number}" for number in range(1, len(files)))]
    return [_process(name, path) for name, path in zip(names, files, strict=True)]


class _Total(NamedTuple):
    size: int = 0
    allocations: int = 0


def _process(name: str, path: Path) -> ProcessMemory:
    from memray import AllocationRecord, AllocatorType, FileReader  # of an extra of its own

    freeing = {AllocatorType.FREE, AllocatorType.MUNMAP, AllocatorType.PYMALLOC_FREE}
    totals: dict[tuple[int, int], _Total] = defaultdict(_Total)
    examples: dict[tuple[int, int], AllocationRecord] = {}
    with FileReader(path) as reader:
        for record in reader.get_allocation_records():
            if record.allocator in freeing:
                continue
            key = (record.tid, record.stack_id)
            known = totals[key]
            totals[key] = _Total(known.size + record.size, known.allocations + 1)
            examples.setdefault(key, record)
        everything: dict[str, _Total] = defaultdict(_Total)
        for key, record in examples.items():
            function, known = _function(record.stack_trace(1)), totals[key]
            before = everything[function]
            everything[function] = _Total(before.size + known.size, before.allocations + known.allocations)
        peak: dict[str, int] = defaultdict(int)
        for record in reader.get_high_watermark_allocation_records(merge_threads=True):
            peak[_function(record.stack_trace(1))] += record.size
    functions = [
        Allocating(function, peak.get(function, 0), total.size, total.allocations)
        for function, total in everything.items()
    ]
    return ProcessMemory(
        process=name,
        peak_bytes=sum(peak.values()),
        allocated_bytes=sum(total.size for total in everything.values()),
        allocations=sum(total.allocations for total in everything.values()),
        functions=sorted(functions, key=lambda one: (-one.peak_bytes, -one.allocated_bytes))[:SLOWEST],
    )


def _function(stack: Sequence[tuple[str, str, int]]) -> str:
    if not stack:
        return NO_PYTHON
    name, file, _ = stack[0]
    return f"{short_file(file)}:{name}"
