"""Child processes of a run: always ended with it, by their own process id.

Ctrl-C is handled by the run, which ends its processes when it no longer needs them. It may come at any
moment, also while a process is being started; a run that lost the process then would leave it behind.
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
        command: Command to run.
        stdin: As in `subprocess`, like the next two.
        stdout: See `stdin`.
        stderr: See `stdin`.
        settings: Variables of its environment; the caller's variables of Choirbook and Locust are removed,
            as they would silently affect the results.
        directory: Working directory, away from the caller's files.
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
    """Stop a process, gracefully at first."""
    process.terminate()
    try:
        process.wait(STOP_DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def _interrupt_deferred() -> Iterator[None]:
    """Defer a Ctrl-C to the end of the context.

    Between the start of a process and its assignment an interrupt would lose it, and while it is being ended
    an interrupt would leave it running.
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
