"""Runs a driver against its own Choirbook, over a transport and in an era, and edits a document for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

import msgspec

from tests.clients.conftest import VARIABLES
from tests.clients.matrix.cells import CLIENTS, HERE, OPERATIONS, Conversation, Runtime
from tests.support.node import node_tools
from tests.support.servers import (
    DEADLINE_S,
    REPOSITORY,
    choirbook,
    environment,
    rsgi_command,
    running,
    write_library,
)

RUN_S = 100.0
"""For a whole run: less than the time after which pytest ends a test."""

ASKS = {
    "read": [
        "mcp://resources/patterns/go/core",
        "mcp://resources/files/notes/na%C3%AFve.txt",
        "mcp://resources/files/images/logo.png",
    ],
    "missing": "mcp://resources/sdlc/kore",
    "complete": {
        "template": "mcp://resources/patterns/{language}/{name}",
        "argument": {"name": "name", "value": "c"},
        "context": {"language": "go"},
    },
    "prompts": {"name": "prd-template", "arguments": {"what": "R&D"}},
    "search": {"query": "naïve Go"},
    "subscribe": "mcp://resources/files/notes/scratch.txt",
}
"""Requests of every client."""

WATCHED = "notes/scratch.txt"
EDITED = "Edited while a client watched: zażółć.\n"


class Line(msgspec.Struct, frozen=True):
    """Output of a driver about one operation; see `tests.clients.matrix.drivers.telling`."""

    operation: str
    seen: Any = None
    absent: str | None = None
    error: str | None = None
    ready: bool = False


def converse(conversation: Conversation, directory: Path) -> dict[str, Line]:
    """Run a driver to its end.

    Args:
        conversation: Which one, and how.
        directory: A scratch directory.

    Returns:
        Its lines, by operation.
    """
    library = write_library(directory / "library")
    with _target(conversation, library, directory) as target:
        plan = {
            **target,
            "era": conversation.era,
            "operations": list(OPERATIONS),
            "asks": ASKS,
            "deadline_s": DEADLINE_S,
            "packages": str(node_tools()),
            "home": str(directory),
        }
        return _drive(_command(conversation), plan, library / WATCHED, directory)


@contextmanager
def _target(conversation: Conversation, library: Path, directory: Path) -> Iterator[dict[str, Any]]:
    if conversation.transport == "stdio":
        command, *arguments = choirbook("stdio", library)
        stdio = {"command": command, "args": arguments, "env": VARIABLES, "cwd": str(directory)}
        yield {"url": None, "stdio": stdio}
    else:
        # Two, as a client that is told of an edit by one worker may read at the other.
        with running(rsgi_command(library, "--workers", "2"), directory / "server", VARIABLES) as server:
            yield {"url": server.mcp_url, "stdio": None}


def _command(conversation: Conversation) -> list[str]:
    client = CLIENTS[conversation.client]
    if client.runtime is Runtime.NODE:
        node = node_tools() / "node_modules" / ".bin" / "node"
        assert node.exists(), "the clients on Node are not installed; run scripts/node-tools"
        return [str(node), str(REPOSITORY / HERE / "drivers" / client.driver)]
    python = Path(sys.executable)
    if client.runtime is Runtime.PYTHON_SDK_1:
        python = REPOSITORY / client.runtime.value / "bin" / "python"
        assert python.exists(), f"{client.title} is not installed; run scripts/client-tools"
    return [str(python), "-m", f"tests.clients.matrix.drivers.{client.driver}"]


def _drive(command: list[str], plan: dict[str, Any], watched: Path, directory: Path) -> dict[str, Line]:
    errors = directory / "stderr"
    lines: dict[str, Line] = {}
    with (
        errors.open("wb") as stderr,
        subprocess.Popen(
            command,
            cwd=directory,
            env=environment({"HOME": str(directory)}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        # A driver that hangs ends here, and what it printed until then is what there is.
        timer = Timer(RUN_S, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps(plan).encode())
            process.stdin.close()
            for text in process.stdout:
                line = msgspec.json.decode(text, type=Line)
                if line.ready:
                    watched.write_text(EDITED, "utf-8")
                else:
                    lines[line.operation] = line
            process.wait()
        finally:
            timer.cancel()
            process.kill()
    assert process.returncode == 0, (
        f"{command} exited with {process.returncode}:\n{errors.read_text('utf-8')}"
    )
    assert lines.keys() == OPERATIONS.keys(), errors.read_text("utf-8")
    return lines
