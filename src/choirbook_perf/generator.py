"""Locust as a child process: start, progress, stop, and reading of its measurements.

Never imported into this process: gevent would patch it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

import choirbook_perf
from choirbook_perf import plan as plans
from choirbook_perf.children import child
from choirbook_perf.errors import Inconclusive, ToolMissing
from choirbook_perf.plan import Plan
from choirbook_perf.recorder import Measured, Progress

_USERS = Path(choirbook_perf.__file__).parent / "load" / "users.py"
_STOP_S = "10"
"""Time for reads under way at the end of a run, in seconds."""


class Shape(NamedTuple):
    """Number of users, duration, and distribution over generators."""

    users: int
    spawn_rate: float
    run_time_s: int
    processes: int = 1
    is_master: bool = False
    """Whether workers come from other machines."""
    expect_workers: int = 1
    master_port: int = 5557


def generate(
    plan: Plan, shape: Shape, out: Path, scratch: Path, watch: Callable[[Progress], None]
) -> tuple[Measured, bool]:
    """Generate the load, and return the measurements and whether it was interrupted.

    Args:
        plan: Resources to read.
        shape: Size of the load.
        out: Directory for Locust's CSV, HTML and log.
        scratch: Directory for files exchanged between the processes.
        watch: Called with the progress every second.

    Raises:
        ToolMissing: Locust is not installed, or does not run here.
        Inconclusive: It was interrupted before anything was measured.
    """
    _require_locust()
    plans.save(plan, scratch / "plan.json")
    measured = scratch / "measured.json"
    log = out / "locust.log"
    command = [*_locust(plan.url), *_shape_options(shape), "--headless", "--only-summary"]
    command += ["--exit-code-on-error", "0", "--stop-timeout", _STOP_S]
    command += ["--csv", str(out / "locust"), "--html", str(out / "locust.html"), "--logfile", str(log)]
    command += ["--plan", str(scratch / "plan.json"), "--measured", str(measured)]
    code, is_partial = _locust_runs(command, scratch, watch)
    if measured.exists():
        return msgspec.json.decode(measured.read_bytes(), type=Measured), is_partial
    if is_partial:
        raise Inconclusive("Interrupted before anything was measured.")
    said = log.read_text(encoding="utf-8").strip().splitlines() if log.exists() else []
    raise ToolMissing(f"Locust ended with {code}: {said[-1] if said else 'no output'}")


def work(plan: Plan, master_host: str, shape: Shape, scratch: Path) -> None:
    """Generate load for the master on another machine until it ends the run.

    Raises:
        ToolMissing: Locust is not installed, or found no master.
    """
    _require_locust()
    plans.save(plan, scratch / "plan.json")
    command = [*_locust(plan.url), "--worker", "--headless", "--master-host", master_host]
    command += ["--master-port", str(shape.master_port), "--plan", str(scratch / "plan.json")]
    command += ["--processes", str(shape.processes)] if shape.processes > 1 else []
    code, _ = _locust_runs(command, scratch, lambda _: None)
    if code:
        raise ToolMissing(f"Locust's worker ended with {code}. Is the master at {master_host}?")


def _locust(url: str) -> list[str]:
    return [sys.executable, "-P", "-m", "locust", "--locustfile", str(_USERS), "--host", url]


def _shape_options(shape: Shape) -> list[str]:
    options = ["--users", str(shape.users), "--spawn-rate", str(shape.spawn_rate)]
    options += ["--run-time", str(shape.run_time_s)]
    if shape.is_master:
        port = str(shape.master_port)
        options += ["--master", "--master-bind-port", port, "--expect-workers", str(shape.expect_workers)]
    elif shape.processes > 1:
        # A separate port, so that two runs on one machine do not share workers.
        port = str(_free_port())
        options += ["--processes", str(shape.processes), "--master-bind-host", "127.0.0.1"]
        options += ["--master-bind-port", port, "--master-port", port]
    return options


def _locust_runs(command: list[str], directory: Path, watch: Callable[[Progress], None]) -> tuple[int, bool]:
    """Run Locust in a directory without locust.conf; return its exit code and whether it was interrupted."""
    with child(command, stdout=subprocess.PIPE, directory=directory) as process:
        is_partial = _listen(process, watch)
    return process.returncode, is_partial


def _listen(process: subprocess.Popen[bytes], watch: Callable[[Progress], None]) -> bool:
    """Report the progress until the process ends; return whether it was interrupted."""
    assert process.stdout is not None
    interrupted = 0
    try:
        while True:
            try:
                for progress in _progress(process.stdout):
                    watch(progress)
                process.wait()
            except KeyboardInterrupt:
                interrupted += 1
                if interrupted > 1:
                    break  # interrupted twice: remaining output is not awaited
                process.send_signal(signal.SIGINT)
            else:
                break
        return interrupted > 0
    finally:
        if process.poll() is None:
            os.killpg(
                process.pid, signal.SIGKILL
            )  # it leads a group of its own, with the workers that it forked
            process.wait()
        process.stdout.close()


def _progress(lines: IO[bytes]) -> Iterator[Progress]:
    for line in _lines(lines):
        if line.startswith(b'{"second"'):
            yield msgspec.json.decode(line, type=Progress)


def _lines(lines: IO[bytes]) -> Iterable[bytes]:
    # Not `for line in lines`, whose read-ahead would delay the progress.
    return iter(lines.readline, b"")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _require_locust() -> None:
    if find_spec("locust") is None:
        raise ToolMissing("Locust is not installed. Install it with: pip install 'choirbook[perf]'")
