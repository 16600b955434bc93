"""Processes for the tests of `choirbook perf`: the command itself, and servers of other projects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

REPOSITORY = Path(__file__).resolve().parents[2]
DEADLINE_S = 90.0
"""For a command that has to end. A busy machine may take its time."""

SHORT = ("--users", "4", "--spawn-rate", "20", "--run-time", "3s", "--think-time", "0.01-0.02")
"""A load that a busy machine can make as well, and that gives a percentile the requests it needs."""


def command(*arguments: str | Path) -> list[str]:
    """Return the command line of `choirbook perf`, as its users have it."""
    return [sys.executable, "-m", "choirbook", "perf", *map(str, arguments)]


def perf(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `choirbook perf` to its end; it may say what it likes, but not show a traceback."""
    done = subprocess.run(
        command(*arguments), cwd=cwd, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def loaded(out: Path, *arguments: str | Path) -> dict[str, Any]:
    """Run `choirbook perf test`, whatever its verdict, and return the result file."""
    done = perf("test", *SHORT, "--out", out, *arguments)
    assert (out / "result.json").exists(), done.stderr
    result: dict[str, Any] = json.loads((out / "result.json").read_bytes())
    return result


def requests(result: dict[str, Any]) -> int:
    """Return how many requests a result file has."""
    return sum(count for series in result["series"] for _, count in series["counts"])


@contextmanager
def serving(*words: str) -> Iterator[str]:
    """Run a server of a module of this directory; yields the URL of its MCP endpoint.

    Args:
        words: Name of the module, and its arguments.
    """
    module, *arguments = words
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.perf.{module}", *arguments],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield _line(process.stdout)
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE_S)


def _line(stream: IO[str] | None) -> str:
    assert stream is not None
    # The listener is open before it is named, so that a client only has to wait.
    told = stream.readline().strip()
    assert told, "the server ended before it listened"
    return told
