"""Peers in compiled languages: optimised builds of the sources here, in `.cache/peers-built`.

A build is repeated when its sources or its toolchain changed. `scripts/peers` builds all; tests build what
they need with `build`. Each program takes `--port PORT`, `--sessions` and documents. Without `--sessions`
it is stateless and answers in JSON.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.peers import crates

HERE = Path(__file__).resolve().parent
BUILT = HERE.parents[1] / ".cache" / "peers-built"

TIMEOUT_S = 900
_SHOWN = 2000
"""Characters of a failed build's output that are shown, from its end."""


class BuildFailed(Exception):
    """A build that did not succeed; the message says why."""


class Source(NamedTuple):
    """A program that can be built."""

    name: str
    directory: Path
    """Directory with its sources."""
    tool: str
    """Command of its toolchain."""
    package: str
    """Debian package of the toolchain, for messages."""
    make: Callable[[Path, Path], Path]
    """Builds a copy of the sources in a directory; returns the program."""
    variables: Mapping[str, str]
    """Environment variables that it runs with."""


def go(sources: Path, work: Path) -> Path:
    """Build a Go program."""
    program = work / "peer"
    # The checked-in go.sum decides; the toolchain on this machine is used, not one that go would download.
    variables = {"GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOWORK": "off"}
    _run(["go", "build", "-trimpath", "-buildvcs=false", "-o", str(program), "."], sources, variables)
    return program


def cargo(sources: Path, work: Path) -> Path:
    """Build a Rust program."""
    try:
        crates.restore(sources)
    except (subprocess.CalledProcessError, ValueError) as error:
        raise BuildFailed(f"cargo made no lock file: {error}") from error
    target = work / "target"
    _run(["cargo", "build", "--release", "--locked", "--quiet"], sources, {"CARGO_TARGET_DIR": str(target)})
    return target / "release" / "peer"


SOURCES: Mapping[str, Source] = {
    source.name: source
    for source in (
        Source("go-sdk", HERE / "go-sdk", "go", "golang-go", go, {"GOMAXPROCS": "1"}),
        Source("mcp-go", HERE / "mcp-go", "go", "golang-go", go, {"GOMAXPROCS": "1"}),
        Source("rmcp", HERE / "rmcp", "cargo", "cargo", cargo, {}),
    )
}
"""Programs by name. All use one core: Go by its variable, rmcp by a runtime with one worker thread."""


def build(name: str) -> Path:
    """Build one of `SOURCES` unless it is up to date, and return its path.

    Raises:
        BuildFailed: Its toolchain is not installed, or the build failed.
    """
    return build_source(SOURCES[name], BUILT)


def build_source(source: Source, into: Path) -> Path:
    """Build a program into a directory unless it is up to date there, and return its path.

    Raises:
        BuildFailed: Its toolchain is not installed, or the build failed.
    """
    if reason := lacks_toolchain(source):
        raise BuildFailed(reason)
    program, stamp = into / source.name, _stamp(source)
    with _locked(into / f"{source.name}.lock"):
        if not _is_current(program, stamp):
            _rebuild(source, program)
            program.with_suffix(".stamp").write_text(stamp, encoding="utf-8")
    return program


def _rebuild(source: Source, program: Path) -> None:
    # A program of older sources must not be measured when the build of the new ones fails.
    program.unlink(missing_ok=True)
    # What an interrupted build compiled stays there, and the next one continues with it.
    work = program.with_suffix(".work")
    copy = work / "sources"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source.directory, copy)
    source.make(copy, work).replace(program)
    shutil.rmtree(work)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time build a program: several workers of pytest may want the same one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def command_of(name: str, port: int, documents: Sequence[Path], *, sessions: bool = False) -> list[str]:
    """Return the command that serves documents with a program that was built.

    Args:
        name: Name of the program. It also needs the variables in `SOURCES`.
        port: Port on 127.0.0.1; the endpoint is `/mcp`.
        documents: Each is served as `mcp://resources/files/NAME`.
        sessions: Whether clients of the handshake era get sessions, and event streams where the SDK has them.
    """
    more = ["--sessions"] if sessions else []
    return [str(BUILT / name), "--port", str(port), *more, *map(str, documents)]


def lacks_toolchain(source: Source) -> str:
    """Return which toolchain is not installed, "" if none is missing."""
    if shutil.which(source.tool):
        return ""
    return f"{source.tool} is not installed; run: apt-get install {source.package}"


def lacks(name: str) -> str:
    """Return why a program cannot be run, "" if it can."""
    if (BUILT / name).is_file():
        return ""
    return lacks_toolchain(SOURCES[name]) or f"{name} is not built; run scripts/peers, which shows why"


def _is_current(program: Path, stamp: str) -> bool:
    noted = program.with_suffix(".stamp")
    return program.is_file() and noted.is_file() and noted.read_text(encoding="utf-8") == stamp


def _stamp(source: Source) -> str:
    arguments = ["version"] if source.tool == "go" else ["--version"]
    version = subprocess.run([source.tool, *arguments], capture_output=True, check=True).stdout
    digest = hashlib.sha256(version)
    for path in sorted(path for path in source.directory.rglob("*") if path.is_file()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _run(command: Sequence[str], directory: Path, variables: Mapping[str, str]) -> None:
    environment = {**os.environ, **variables}
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(f"{command[0]} was not done after {TIMEOUT_S} s") from error
    if done.returncode:
        raise BuildFailed(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[-_SHOWN:]}")


def main() -> None:
    """Build what can be built; say what cannot, as the others are measured all the same."""
    for name in SOURCES:
        try:
            build(name)
        except BuildFailed as error:
            print(f"choirbook: {name} is not built: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
