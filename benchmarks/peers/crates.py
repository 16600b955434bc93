"""Exact versions of the crates of the Rust peer, kept without the registry that they come from.

Cargo's lock file names the registry of each crate; the project's files name none. So `crates.lock` is Cargo's
lock file without these lines, and a build adds them again, with the name that the local cargo uses. The
checksums stay, so cargo still refuses any other content.

Run `python -m benchmarks.peers.crates` to write `crates.lock` anew from the versions in `Cargo.toml`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

_SOURCE = re.compile(r'^source = "(.+)"\n', re.MULTILINE)
_CHECKSUM = re.compile(r"^checksum = ", re.MULTILINE)

LOCK, PINS = "Cargo.lock", "crates.lock"


def without_sources(lock: str) -> str:
    """Remove the lines that name a registry."""
    return _SOURCE.sub("", lock)


def with_sources(pins: str, source: str) -> str:
    """Add the registry to every crate that has a checksum; the others are local."""
    return _CHECKSUM.sub(f'source = "{source}"\nchecksum = ', pins)


def source_of(lock: str) -> str:
    """Return the registry of a lock file.

    Raises:
        ValueError: It names none, or several, which `with_sources` could not tell apart.
    """
    sources = set(_SOURCE.findall(lock))
    if len(sources) != 1:
        raise ValueError(f"the lock file has {len(sources)} sources of crates, not one")
    return str(sources.pop())


def restore(crate: Path) -> None:
    """Write Cargo's lock file of a crate from its pins.

    Raises:
        subprocess.CalledProcessError: cargo cannot reach its registry.
        ValueError: Its crates come from several registries.
    """
    resolve(crate)
    lock = crate / LOCK
    source = source_of(lock.read_text(encoding="utf-8"))
    lock.write_text(with_sources((crate / PINS).read_text(encoding="utf-8"), source), encoding="utf-8")


def resolve(crate: Path) -> None:
    """Let cargo write a lock file with the newest versions that `Cargo.toml` allows.

    Raises:
        subprocess.CalledProcessError: It cannot reach its registry.
    """
    subprocess.run(["cargo", "generate-lockfile", "--quiet"], cwd=crate, check=True)


def main() -> None:
    """Write the pins anew."""
    crate = Path(__file__).resolve().parent / "rmcp"
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "rmcp"
        shutil.copytree(crate, copy)
        resolve(copy)
        pins = without_sources((copy / LOCK).read_text(encoding="utf-8"))
    (crate / PINS).write_text(pins, encoding="utf-8")


if __name__ == "__main__":
    main()
