"""Machine properties on which results depend; no names and no paths."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from choirbook_perf import identity
from choirbook_perf.results import Environment

PACKAGES = ("choirbook", "granian", "uvloop", "msgspec", "locust", "mcp", "fastmcp", "py-spy")


def environment(packages: Sequence[str] = PACKAGES) -> Environment:
    """Describe this machine and checkout.

    Args:
        packages: Packages whose versions matter; those not installed here are omitted.
    """
    cpu = identity.cpu_model()
    cores = os.cpu_count() or 1
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Environment(
        machine=identity.digest(identity.parts()),
        cpu=cpu,
        cores=cores,
        memory_bytes=memory_bytes,
        kernel=platform.release(),
        python=platform.python_version(),
        versions={name: found for name in packages if (found := _version(name))},
        commit=_commit(),
        load_average=round(os.getloadavg()[0], 2),
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _commit() -> str:
    try:
        here = Path(__file__).parent
        head = subprocess.run(  # noqa: S603
            ["git", "-C", str(here), "rev-parse", "--short=12", "HEAD"],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
        )
        status = subprocess.run(  # noqa: S603
            ["git", "-C", str(here), "status", "--porcelain", "--untracked-files=no"],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head.stdout.strip() + ("+" if status.stdout.strip() else "")
