"""A Choirbook started for the run: on a free loopback port, awaited, stopped by its process id."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from choirbook_perf.children import child
from choirbook_perf.errors import BadInput, ServerUnreachable, ToolMissing
from choirbook_perf.http_client import fetch
from choirbook_perf.own_server import choirbook_command
from choirbook_perf.targets import HttpTarget

_READY_S = 30.0
_POLL_S = 0.02
_GREETING = re.compile(r"^\s*HTTP\s+(http://[^/\s]+)/", re.MULTILINE)


class ChoirbookServer(NamedTuple):
    """A running Choirbook."""

    url: str
    pid: int


@contextmanager
def running(
    log: Path,
    options: list[str],
    settings: Mapping[str, str],
    library: Path | None = None,
    under: Sequence[str] = (),
) -> Iterator[ChoirbookServer]:
    """Run `choirbook serve` for as long as the context lasts.

    Args:
        log: File for its output.
        options: Further options of `choirbook serve`.
        settings: Variables of its environment, see `child`.
        library: Directory that it serves; the starter library if omitted.
        under: Arguments of Python that run it below another module.

    Raises:
        BadInput: It refused to start.
        ServerUnreachable: It did not answer in time.
        ToolMissing: Choirbook is not installed.
    """
    directory = [str(library.resolve())] if library else []
    command = choirbook_command("serve", *directory, "--port", "0", *options)
    # Behind Python and its -P.
    command[2:2] = under
    with (
        log.open("wb") as output,
        child(command, stdout=output, stderr=output, settings=settings, directory=log.parent) as process,
    ):
        yield ChoirbookServer(_wait_until_ready(process, log), process.pid)


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
        f"The Choirbook for this run did not answer within {_READY_S:g} s. Its last output: {told[-400:]}"
    )


def _refusal(told: str) -> BadInput | ToolMissing:
    if "No module named choirbook" in told:
        return ToolMissing(
            "Choirbook is not installed here, so none can be started. Install it, or name a server with "
            "--url."
        )
    last = told.strip().splitlines()[-1:] or ["it ended without output"]
    return BadInput(f"The Choirbook for this run did not start: {last[0].removeprefix('choirbook: ')}")


def _is_ready(url: str) -> bool:
    try:
        return fetch(HttpTarget(url).read("/readyz")).status == 200  # noqa: PLR2004
    except ServerUnreachable:
        return False
