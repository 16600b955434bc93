"""Servers that cannot start, and what they say."""

import subprocess
from pathlib import Path

from tests.support.servers import DEADLINE_S, choirbook, environment


def refused(directory: Path, *arguments: str | Path, **variables: str) -> tuple[int, str]:
    """Run `choirbook serve` where it cannot start; return its exit code and the one line it says."""
    done = subprocess.run(
        choirbook("serve", *arguments),
        cwd=directory,
        env=environment(variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.returncode, done.stderr
