"""A Carrel of the run's own: started on a free port of loopback, waited for, stopped by its process id."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from carrel_perf.errors import BadInput, ServerUnreachable, ToolMissing
from carrel_perf.probing import fetch
from carrel_perf.targets import HttpTarget

_READY_S = 30.0
_STOP_S = 15.0
_POLL_S = 0.02
_GREETING = re.compile(r"^\s*HTTP\s+(http://[^/\s]+)/", re.MULTILINE)


class CarrelServer(NamedTuple):
    """A Carrel that runs."""

    url: str
    pid: int


@contextmanager
def running(
    log: Path, options: list[str], settings: Mapping[str, str], library: Path | None = None
) -> Iterator[CarrelServer]:
    """Run `carrel serve` for as long as the context lasts.

    Args:
        log: Where its output goes.
        options: Further ones of `carrel serve`.
        settings: Variables of its environment; those that somebody has set on this machine do not reach it.
        library: The directory that it serves; the starter library when left out.

    Raises:
        BadInput: It refused to start.
        ServerUnreachable: It did not answer in time.
        ToolMissing: Carrel is not installed.
    """
    command = [sys.executable, "-m", "carrel", "serve", *([str(library.resolve())] if library else [])]
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("CARREL_", "CACHE_"))
    }
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            [*command, "--port", "0", *options],
            cwd=log.parent,  # away from the .env of whoever runs this
            env=inherited | dict(settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for the run, which stops the server when it is done with it
        )
    try:
        yield CarrelServer(_wait_until_ready(process, log), process.pid)
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process as a supervisor does."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline_s = time.monotonic() + _READY_S
    while time.monotonic() < deadline_s:
        told = log.read_text(encoding="utf-8", errors="replace")
        if process.poll() is not None:
            raise _refusal(told)
        greeting = _GREETING.search(told)
        if greeting and _is_ready(greeting[1]):
            return greeting[1]
        time.sleep(_POLL_S)
    raise ServerUnreachable(
        f"The run's own Carrel did not answer within {_READY_S:g} s. It said: {told[-400:]}"
    )


def _refusal(told: str) -> BadInput | ToolMissing:
    if "No module named carrel" in told:
        return ToolMissing("There is no Carrel to start here. Install it, or name a server with --url.")
    last = told.strip().splitlines()[-1:] or ["it ended without a word"]
    return BadInput(f"The run's own Carrel did not start: {last[0].removeprefix('carrel: ')}")


def _is_ready(url: str) -> bool:
    try:
        return fetch(HttpTarget(url).read("/readyz")).status == 200  # noqa: PLR2004
    except ServerUnreachable:
        return False
