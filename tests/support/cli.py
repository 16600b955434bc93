"""Run the command line as a person does."""

import os
import subprocess
import sys
from pathlib import Path

DEADLINE_S = 20


def choirbook(
    *arguments: str | Path, cwd: Path | None = None, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `choirbook` to its end; nothing of this environment that is meant for Choirbook goes along."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("CHOIRBOOK_", "CACHE_"))
    }
    return subprocess.run(
        [sys.executable, "-m", "choirbook", *map(str, arguments)],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=DEADLINE_S,
        check=False,
        cwd=cwd,
        env=kept | (environment or {}),
    )
