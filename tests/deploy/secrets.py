"""Output of `deploy/redis/make-secrets`."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "deploy" / "redis" / "make-secrets"


@dataclass(frozen=True)
class Secrets:
    """The files of one run."""

    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that Choirbook gets."""
        lines = (self.directory / "choirbook.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)


def made_secrets(directory: Path, host: str = "redis") -> Secrets:
    """Run the script."""
    subprocess.run([SCRIPT, directory / "secrets", host], check=True, capture_output=True)
    return Secrets(directory / "secrets")
