"""The official MCP tools that run on Node; `scripts/node-tools` installs them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.servers import DEADLINE_S, REPOSITORY, environment


def node_tools() -> Path:
    """Return where the tools are installed."""
    return Path(os.environ.get("TESTS_NODE_TOOLS", REPOSITORY / ".cache" / "node"))


def run_tool(name: str, arguments: Sequence[str | Path], home: Path) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end.

    Args:
        name: Of its command.
        arguments: What it is told.
        home: A scratch directory, where it keeps what it likes to keep, and runs.
    """
    commands = node_tools() / "node_modules" / ".bin"
    tool = commands / name
    assert tool.exists(), f"{name} is not installed; run scripts/node-tools"
    node = commands / "node"
    home.mkdir(parents=True, exist_ok=True)
    variables = {"HOME": str(home), "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        [node, tool, *arguments],
        cwd=home,
        env=environment(variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
