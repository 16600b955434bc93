"""Servers of other projects as processes, each as its project makes it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.perf.processes import DEADLINE_S, REPOSITORY
from tests.support.servers import wait_for

SDK_1 = str(REPOSITORY / ".cache" / "clients" / "python-sdk-1" / "bin" / "python")
_NODE = REPOSITORY / ".cache" / "node" / "node_modules"
_SDK_1_SERVER = "tests.perf.foreign.python_sdk_1"
_KINDS = "tests.perf.foreign.fastmcp_kinds"


class Foreign(NamedTuple):
    """One server of the matrix."""

    command: tuple[str, ...]
    eras: tuple[str, ...]
    """Eras to load it in; the first one is what `auto` chooses."""
    has_sessions: bool = False
    """Whether it has sessions in the handshake era."""
    scenario: str = "every resource"
    """Name of the scenario that it gets when none is given."""
    names: tuple[str, ...] = ()
    """Operations that the result has to have, among others."""
    port_variable: str = ""
    """Environment variable of its port; a server without one names its URL on its first line."""


def module(name: str, *arguments: str, python: str = sys.executable) -> tuple[str, ...]:
    """Return the command of a server that is a module of the tests."""
    return (python, "-m", name, *arguments)


def everything(transport: str) -> tuple[str, ...]:
    """Return the command of `@modelcontextprotocol/server-everything`."""
    program = _NODE / "@modelcontextprotocol" / "server-everything" / "dist" / "index.js"
    return (str(_NODE / ".bin" / "node"), str(program), transport)


FOREIGN: Mapping[str, Foreign] = {
    "fastmcp": Foreign(
        module("tests.perf.fastmcp_server", "5"),
        ("modern", "handshake"),
        has_sessions=True,
        names=("book-0", "book-4"),
    ),
    "python-sdk-2-json": Foreign(
        module("tests.perf.sdk_server", "json"), ("modern", "handshake"), scenario="mission"
    ),
    "python-sdk-2-sessions": Foreign(
        module("tests.perf.sdk_server", "stream"),
        ("modern", "handshake"),
        has_sessions=True,
        scenario="mission",
    ),
    "python-sdk-1-json": Foreign(module(_SDK_1_SERVER, "json", python=SDK_1), ("handshake",), names=("one",)),
    "python-sdk-1-sessions": Foreign(
        module(_SDK_1_SERVER, "sessions", python=SDK_1), ("handshake",), has_sessions=True, names=("one",)
    ),
    "server-everything": Foreign(
        everything("streamableHttp"), ("handshake",), has_sessions=True, port_variable="PORT"
    ),
    "tools-only": Foreign(
        module(_KINDS, "tools"),
        ("modern", "handshake"),
        has_sessions=True,
        scenario="everything listed",
        names=("tools/list", "season"),
    ),
    "templates-only": Foreign(
        module(_KINDS, "templates"),
        ("modern", "handshake"),
        has_sessions=True,
        scenario="everything listed",
        names=("resources/templates/list", "weather://1/today"),
    ),
}

STDIO: Mapping[str, Foreign] = {
    "fastmcp": Foreign(module(_KINDS, "stdio"), ("modern", "handshake"), names=("tools/list", "season")),
    "python-sdk-1": Foreign(module(_SDK_1_SERVER, "stdio", python=SDK_1), ("handshake",), names=("one",)),
    "server-everything": Foreign(everything("stdio"), ("handshake",)),
    "choirbook": Foreign(module("choirbook", "stdio"), ("modern", "handshake"), names=("sdlc/core",)),
}


@contextmanager
def foreign(server: Foreign, log: Path, port: int = 0) -> Iterator[str]:
    """Run a server for as long as the context lasts; yields the URL of its endpoint.

    Args:
        server: Server to run.
        log: File for its output.
        port: Port that its command names, if it does.
    """
    port = port or (free_port() if server.port_variable else 0)
    with log.open("wb") as output:
        process = subprocess.Popen(
            server.command,
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY), server.port_variable or "PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if not port else output,
            stderr=output,
        )
    try:
        yield _listening(port) if port else _first_line(process)
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE_S)


def _first_line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    # The listener is open before it is named, so that a client only has to wait.
    told = process.stdout.readline().decode().strip()
    assert told, "the server ended before it listened"
    return told


def _listening(port: int) -> str:
    def listens() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    wait_for(listens, "the server does not listen")
    return f"http://127.0.0.1:{port}/mcp"


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def signed(directory: Path, run: Callable[[Sequence[str]], object]) -> tuple[Path, Path]:
    """Make a certificate for loopback that signs itself; returns it and its key."""
    certificate, key = directory / "cert.pem", directory / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    run([*command, "-keyout", str(key), "-out", str(certificate)])
    return certificate, key
