"""Servers to compare: a command, a commit, a checkout, or the URL of a server that is running."""

from __future__ import annotations

import shlex
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from choirbook_perf.ab import checkouts
from choirbook_perf.children import child
from choirbook_perf.cores import pin
from choirbook_perf.errors import BadInput, ServerUnreachable
from choirbook_perf.http_client import fetch
from choirbook_perf.targets import HttpTarget

PORT = "{port}"
"""Stands for the port in a command."""

_READY_S = 30.0
_POLL_S = 0.02
_FIRST_SERVER_ERROR = 500


class Launcher(NamedTuple):
    """How to get one of the servers."""

    given: str
    """`command`, `commit`, `checkout` or `url`."""
    name: str
    """As in the result: no path."""
    environment: str
    """Which Python environment runs it, in words; "" if that is not known."""
    url: str
    """Address of a server that is running, "" for one to be started."""
    command: Sequence[str]
    """With `PORT` where the port goes."""
    variables: Mapping[str, str]


class Server(NamedTuple):
    """A server that answers."""

    url: str
    pid: int | None
    """None for a server that was not started here."""


@contextmanager
def prepared(given: str, flag: str, serve: Sequence[str], scratch: Path) -> Iterator[Launcher]:
    """Find out what the user means, and build what is needed to start it.

    Args:
        given: A URL, a command with `{port}`, a directory with a checkout, or the name of a commit.
        flag: Name of the option, for messages.
        serve: Arguments of `choirbook` that serve a library at `{port}`, for commits and checkouts.
        scratch: Directory for checkouts and environments.

    Raises:
        BadInput: It is none of these, or cannot be used.
        ToolMissing: A commit needs packages that cannot be installed.
    """
    if given.startswith(("http://", "https://")):
        yield Launcher("url", given, "", given, (), {})
        return
    if PORT in given:
        words = _words(given, flag)
        yield Launcher("command", _without_paths(words), "", "", words, {})
        return
    with ExitStack() as stack:
        directory, name = Path(given), "the checkout"
        kind = "checkout" if directory.is_dir() else "commit"
        if kind == "checkout":
            directory = directory.resolve()
        else:
            commit = checkouts.commit_of(given)
            if not commit:
                raise BadInput(
                    f"{flag} {given!r} is no URL, no directory, no commit of this repository, and no "
                    f"command: a command contains {PORT}, such as 'choirbook serve --port {PORT}'."
                )
            name = commit[:12]
            directory = stack.enter_context(checkouts.checked_out(commit, scratch))
        python = stack.enter_context(checkouts.interpreter(directory, scratch))
        command = [*python.command, "-m", "choirbook", *serve]
        yield Launcher(kind, name, python.environment, "", command, python.variables)


def _words(command: str, flag: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise BadInput(f"{flag} {command!r} is not a command: {error}. Correct its quotes.") from error


def _without_paths(words: Sequence[str]) -> str:
    return " ".join(Path(word).name if word.startswith("/") else word for word in words)


@contextmanager
def serving(launcher: Launcher, log: Path, cores: Sequence[int]) -> Iterator[Server]:
    """Run a server for as long as the context lasts; it answers when the context begins.

    Args:
        launcher: The server.
        log: File for its output.
        cores: Cores that it may use.

    Raises:
        BadInput: It does not start.
        ServerUnreachable: It does not answer in time.
    """
    if launcher.url:
        yield Server(launcher.url, None)
        return
    port = _free_port()
    command = [word.replace(PORT, str(port)) for word in launcher.command]
    with log.open("wb") as output, ExitStack() as stack:
        try:
            started = child(
                command, stdout=output, stderr=output, settings=launcher.variables, directory=Path.cwd()
            )
            process = stack.enter_context(started)
        except OSError as error:
            raise BadInput(f"{command[0]} cannot be started: {error.strerror}.") from error
        pin(process.pid, cores)
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(process, url, log, launcher.name)
        yield Server(url, process.pid)


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path, name: str) -> None:
    deadline_s = time.monotonic() + _READY_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise BadInput(f"{name} ended with {process.returncode} before it answered: {_last_line(log)}")
        if _answers(url):
            return
        time.sleep(_POLL_S)
    raise ServerUnreachable(f"{name} did not answer at {url} within {_READY_S:g} s: {_last_line(log)}")


def _answers(url: str) -> bool:
    try:
        # A server without this path is up with a 404, too.
        return fetch(HttpTarget(url).read("/readyz")).status < _FIRST_SERVER_ERROR
    except ServerUnreachable:
        return False


def _last_line(log: Path) -> str:
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return said[-1] if said else "it printed nothing."


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
