"""Versions of the peers, from the files that pin them or from what is installed."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent

Version = Callable[[], str]


def installed(package: str) -> Version:
    """Return the version of a package of this environment."""
    return lambda: metadata.version(package)


def python(package: str) -> Version:
    """Return the version of a package that the Python peers pin."""
    return lambda: _found(rf"^{re.escape(package)}==(\S+)$", "requirements.txt")


def module(directory: str, name: str) -> Version:
    """Return the version of a module that a Go peer pins."""
    return lambda: _found(rf"\b{re.escape(name)} v(\S+)$", f"{directory}/go.mod")


def crate(name: str) -> Version:
    """Return the version of a crate that the Rust peer pins."""
    return lambda: _found(rf'^name = "{re.escape(name)}"\nversion = "(.+)"$', "rmcp/crates.lock")


def node(package: str) -> Version:
    """Return the version of a package that the Node peer pins."""

    def version() -> str:
        pins = json.loads((HERE / "node" / "package.json").read_text(encoding="utf-8"))
        return str(pins["dependencies"][package])

    return version


def nginx(program: Callable[[], str | None]) -> Version:
    """Return the version of an nginx, "" if there is none."""

    def version() -> str:
        if (path := program()) is None:
            return ""
        # It answers on stderr.
        told = subprocess.run([path, "-v"], capture_output=True, text=True, check=False).stderr
        return told.strip().rpartition("/")[2]

    return version


def _found(pattern: str, name: str) -> str:
    match = re.search(pattern, (HERE / name).read_text(encoding="utf-8"), re.MULTILINE)
    if match is None:
        raise ValueError(f"{name} pins nothing that matches {pattern}")
    return match[1]
