"""Checkouts to run a Choirbook from: a commit in a temporary worktree, and the Python that has its packages.

The present environment runs it, with the checkout's own `src` first on the path. Only if the checkout locks
other packages does it get an environment of its own: then the two servers differ in more than their code,
which the result says.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from choirbook_perf.errors import BadInput, ToolMissing

SAME, OWN = "this environment", "an environment of its own, as it locks other packages"

_PACKAGE = Path("src") / "choirbook"


class Interpreter(NamedTuple):
    """A Python with everything that a checkout needs."""

    command: list[str]
    variables: dict[str, str]
    environment: str
    """`SAME` or `OWN`."""


def commit_of(name: str) -> str:
    """Return the commit that a name stands for in the repository of the working directory, "" if none."""
    found = _git(Path(), "rev-parse", "--quiet", "--verify", "--end-of-options", f"{name}^{{commit}}")
    return found.stdout.strip() if found.returncode == 0 else ""


@contextmanager
def checked_out(commit: str, scratch: Path) -> Iterator[Path]:
    """Check a commit out into a directory below `scratch`, for as long as the context lasts.

    Raises:
        BadInput: Git refuses.
    """
    directory = scratch / commit[:12]
    added = _git(Path(), "worktree", "add", "--detach", "--force", str(directory), commit)
    if added.returncode:
        raise BadInput(f"Git cannot check out {commit[:12]}: {_last(added.stderr)}. Correct the name.")
    try:
        yield directory
    finally:
        _git(Path(), "worktree", "remove", "--force", str(directory))


@contextmanager
def interpreter(checkout: Path, scratch: Path) -> Iterator[Interpreter]:
    """Return the Python that runs a checkout.

    Raises:
        BadInput: The checkout has no Choirbook, or it does not start.
        ToolMissing: Its packages cannot be installed.
    """
    if not (checkout / _PACKAGE / "__init__.py").is_file():
        raise BadInput(f"{checkout.name} has no {_PACKAGE}: name a commit or checkout of Choirbook.")
    here = root_of(Path())
    if here is None or lock_of(checkout) == lock_of(here):
        found = Interpreter([sys.executable, "-P"], {"PYTHONPATH": str(checkout / "src")}, SAME)
    else:
        found = Interpreter([str(_installed(checkout, scratch)), "-P"], {}, OWN)
    _check(found, checkout)
    yield found


def root_of(directory: Path) -> Path | None:
    """Return the root of the checkout that a directory is in, None outside of one."""
    found = _git(directory, "rev-parse", "--show-toplevel")
    return Path(found.stdout.strip()) if found.returncode == 0 else None


def lock_of(checkout: Path) -> Sequence[str]:
    """Return the packages that a checkout asks for and pins, in an order of their own."""
    project = _toml(checkout / "pyproject.toml").get("project", {})
    pins = checkout / "constraints.txt"
    lines = pins.read_text(encoding="utf-8").splitlines() if pins.is_file() else []
    wanted = [str(each) for each in project.get("dependencies", [])]
    return [*sorted(wanted), "", *sorted(line.strip() for line in lines if line.strip())]


def _toml(path: Path) -> dict[str, dict[str, list[str]]]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{path.name} of {path.parent.name} cannot be read: {error}.") from error


def _installed(checkout: Path, scratch: Path) -> Path:
    """Install a checkout into a new environment, and return its Python."""
    directory = scratch / f"{checkout.name}-venv"
    python = directory / "bin" / "python"
    pins = checkout / "constraints.txt"
    steps = [
        [sys.executable, "-m", "venv", str(directory)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        + (["--constraint", str(pins)] if pins.is_file() else [])
        + [str(checkout)],
    ]
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise ToolMissing(
                f"The packages that {checkout.name} locks cannot be installed: {_last(done.stderr)}. "
                "Install it yourself, and pass the command that starts it."
            )
    return python


def _check(found: Interpreter, checkout: Path) -> None:
    """Check that this Python runs the code of the checkout and no other."""
    code = "import choirbook, choirbook.cli.serve; print(choirbook.__file__)"
    variables = {**os.environ, **found.variables}
    done = subprocess.run(  # noqa: S603
        [*found.command, "-c", code], capture_output=True, text=True, check=False, env=variables
    )
    if done.returncode:
        raise BadInput(f"The Choirbook of {checkout.name} does not start: {_last(done.stderr)}.")
    is_own = found.environment == OWN or Path(done.stdout.strip()).is_relative_to(checkout)
    if not is_own:
        raise BadInput(
            f"Python does not take Choirbook from {checkout.name}. Pass the command that starts it."
        )


def _git(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["git", "-C", str(directory.absolute()), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, "", f"git: {error.strerror}")


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1].rstrip(".")
