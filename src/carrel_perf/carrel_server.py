"""A Carrel of the run's own: started on a free port of loopback, waited for, stopped by its process id."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from carrel_perf.children import child
from carrel_perf.errors import BadInput, ServerUnreachable, ToolMissing
from carrel_perf.fetching import fetch
from carrel_perf.launching import carrel_command
from carrel_perf.targets import HttpTarget

_READY_S = 30.0
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
        settings: Variables of its environment, see `child`.
        library: The directory that it serves; the starter library when left out.

    Raises:
        BadInput: It refused to start.
        ServerUnreachable: It did not answer in time.
        ToolMissing: Carrel is not installed.
    """
    directory = [str(library.resolve())] if library else []
    command = carrel_command("serve", *directory, "--port", "0", *options)
    with (
        log.open("wb") as output,
        child(command, stdout=output, stderr=output, settings=settings, directory=log.parent) as process,
    ):
        yield CarrelServer(_wait_until_ready(process, log), process.pid)


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
