"""Processes that a run starts: always ended with it, by their own process id.

Ctrl-C is for the run, which ends its processes when it is done with them. It may come at any moment, also
while a process is being started; a run that lost the process then would leave it behind.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

STOP_DEADLINE_S = 15.0

_SETTINGS = ("CHOIRBOOK_", "CACHE_", "LOCUST_")


@contextmanager
def child(
    command: Sequence[str],
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
    settings: Mapping[str, str] | None = None,
    directory: Path | str = "/",
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process for as long as the context lasts.

    Args:
        command: What to run.
        stdin: As `subprocess` takes it; so are the next two.
        stdout: See `stdin`.
        stderr: See `stdin`.
        settings: Variables of its environment; those of Choirbook and Locust that the caller has do not reach
            it, as they would be measured unseen.
        directory: Where it runs: away from the files of whoever runs this.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
    process: subprocess.Popen[bytes] | None = None
    try:
        with _interrupt_deferred():
            process = subprocess.Popen(  # noqa: S603 - commands of our own making
                command,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env=inherited | dict(settings or {}),
                cwd=directory,
                start_new_session=True,
            )
        yield process
    finally:
        if process is not None:
            with _interrupt_deferred():
                end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop a process, kindly at first."""
    process.terminate()
    try:
        process.wait(STOP_DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def _interrupt_deferred() -> Iterator[None]:
    """Have a Ctrl-C wait for the end of the context.

    Between the start of a process and the assignment of it an interrupt would lose it, and in the middle of
    ending it would leave it as it is.
    """
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread is interrupted.
        yield
        return
    came: list[int] = []

    def note(number: int, _: Any) -> None:
        came.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came and callable(before):
        before(signal.SIGINT, None)
