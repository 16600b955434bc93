"""Server processes: start, wait until they answer, CPU time, stop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

READY_DEADLINE_S = 20.0
FIRST_SERVER_ERROR = 500
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str], url: str, log: Path, core: int, variables: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server on one core for as long as the context lasts.

    Args:
        command: Command to run.
        url: URL that answers once the server is up, even with a 4xx; with a 5xx it is not up yet.
        log: File for its output.
        core: Core that it is pinned to.
        variables: Variables added to the environment of this process.

    Raises:
        RuntimeError: It ended, or did not answer in time.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*pinned(core), *command], stdout=output, stderr=output, env={**os.environ, **(variables or {})}
        )
        try:
            _wait_until_up(process, url, log)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def pinned(core: int) -> list[str]:
    """Return the command prefix that pins a process to one core."""
    return ["taskset", "--cpu-list", str(core)]


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process and its descendants, in seconds."""
    return sum(_own_cpu_s(each) for each in _family(pid))


def memory_mib(pid: int) -> float:
    """Return the memory of a process and its descendants in MiB; pages that they share count once (PSS)."""
    return sum(_own_memory_kib(each) for each in _family(pid)) / 1024


def _own_memory_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _family(pid: int) -> list[int]:
    found = [pid]
    for each in found:
        for task in Path(f"/proc/{each}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def _own_cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _wait_until_up(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline_s = time.monotonic() + READY_DEADLINE_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}: {log.read_text()}")
        try:
            with urlopen(url, timeout=1):
                return
        except HTTPError as error:
            error.close()
            if error.code < FIRST_SERVER_ERROR:
                return
            time.sleep(0.02)
        except (URLError, OSError):
            time.sleep(0.02)
    raise RuntimeError(f"the server did not answer at {url}: {log.read_text()}")
