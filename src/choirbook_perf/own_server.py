"""Choirbook as a child process: list its documents, start it, stop it. Blocking.

Never imports choirbook: it is started like by a user, with the Python that runs this.
"""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from choirbook_perf.children import child
from choirbook_perf.errors import BadInput, EmptyLibrary, ServerUnreachable

START_DEADLINE_S = 30.0
_POLL_S = 0.001
"""Poll interval in seconds, far below the duration of a start, so that it does not affect the result."""


class Document(msgspec.Struct, frozen=True):
    """One resource of a library, from `choirbook list --json`."""

    uri: str
    path: str
    """Path relative to the library's root."""
    size: int


class Launched(NamedTuple):
    """A server that is being started."""

    process: subprocess.Popen[bytes]
    port: int
    log: IO[bytes]

    @property
    def url(self) -> str:
        """URL of the server."""
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection, as soon as the server accepts one.

        Raises:
            ServerUnreachable: It ended, or does not answer in time.
        """
        deadline_s = time.monotonic() + START_DEADLINE_S
        while time.monotonic() < deadline_s and self.process.poll() is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_DEADLINE_S)
            try:
                connection.connect()
            except OSError:
                time.sleep(_POLL_S)
                continue
            assert connection.sock is not None
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        raise ServerUnreachable(f"'choirbook serve' did not start: {self._last_words()}")

    def _last_words(self) -> str:
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"no answer within {START_DEADLINE_S:g} s. Is the machine overloaded?"


def starter_library() -> Path:
    """Return the directory of the library that ships with Choirbook, without importing it.

    Raises:
        BadInput: Choirbook is not installed beside this package.
    """
    spec = find_spec("choirbook")
    if spec is None or spec.origin is None:
        raise BadInput(
            "The package choirbook is not installed here. Install it, or name a library with --library."
        )
    return Path(spec.origin).parent / "starter"


def choirbook_command(*arguments: str) -> list[str]:
    """Return the command that runs Choirbook's command line with this Python."""
    return [sys.executable, "-P", "-m", "choirbook", *arguments]


def documents_of(library: Path) -> list[Document]:
    """Return the documents that Choirbook would serve from a directory.

    Raises:
        BadInput: It is not a library.
        EmptyLibrary: It has nothing to read.
    """
    command = choirbook_command("list", str(library.resolve()), "--json")
    with child(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        listed, said = process.communicate()
    if process.returncode != 0:
        reason = said.decode(errors="replace").strip().removeprefix("choirbook: ")
        raise BadInput(
            f"The library {library} cannot be used. {reason.splitlines()[-1] if reason else ''}".strip()
        )
    found = msgspec.json.decode(listed, type=list[Document])
    if not found:
        raise EmptyLibrary(f"The library {library} has no documents to serve. Add files to it.")
    return found


@contextmanager
def launched(library: Path, *flags: str, variables: Mapping[str, str] | None = None) -> Iterator[Launched]:
    """Start `choirbook serve` on a free port, and stop it with the context. It may not answer yet.

    Args:
        library: Directory to serve.
        flags: Further flags, such as `--preload`.
        variables: Settings as environment variables; those of the caller are ignored.
    """
    port = _free_port()
    command = choirbook_command("serve", str(library.resolve()), "--port", str(port), *flags)
    with tempfile.TemporaryFile() as log, child(command, stderr=log, settings=variables) as process:
        yield Launched(process, port, log)


def launched_stdio(library: Path) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Start `choirbook stdio`, and end it with the context."""
    command = choirbook_command("stdio", str(library.resolve()))
    return child(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
