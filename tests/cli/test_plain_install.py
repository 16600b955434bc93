"""A plain `pip install`: every command works, or names the extra to install, and none ends in a traceback."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
import typer
from packaging.requirements import Requirement
from typer.main import get_command

from choirbook.cli.commands import app
from choirbook_perf.cli import app as perf_app
from tests.support.servers import Server, environment, rsgi_command, running

DEADLINE_S = 60

BLOCKING = """
import json, sys
class Lacking:
    def __init__(self, finder, names): self.finder, self.names = finder, names
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in self.names:
            return self.finder.find_spec(name, path, target)
lacked = set(json.loads(sys.argv.pop(1)))
sys.meta_path[:] = [Lacking(finder, lacked) for finder in sys.meta_path]
sys.argv[0] = "choirbook"
from choirbook.cli import main
main()
"""
"""Runs Choirbook as if some modules were not installed."""

NEEDS_EXTRA = 6
"""Exit code of a command that needs an extra."""

WORKING: dict[str, tuple[list[str], int]] = {
    "serve": (["--port", "0", "no-such-directory"], 2),
    "stdio": ([], 0),
    "list": ([], 0),
    "read": (["mcp://resources/sdlc/core"], 0),
    "check": ([], 0),
    "usage": (["no-such-file"], 2),
    "top": (["--once", "--interval", "0.1", "--url", "{url}"], 0),
    "stages": (["--batches", "1", "--bytes", "200"], 0),
    "cache invalidate": (["--all", "--admin", "{admin}"], 0),
    "cache warm": (["--admin", "{admin}"], 0),
    "cache stats": (["--admin", "{admin}"], 0),
    "perf baseline list": ([], 0),
    "perf baseline save": (["main", "no-such-file"], 2),
    "perf export": (["no-such-result", "--to", "csv"], 2),
    "perf report": (["no-such-result"], 2),
    "perf runbook": (["no-such-directory"], 2),
    "perf cold": (["--rounds", "1", "--resources", "1"], 0),
    "perf profile": (["--cprofile", "--requests", "5", "--out", "{scratch}"], 0),
}
"""Arguments of the commands that need no extra, and how they end."""

NEEDING = {
    "perf capacity": ["--duration", "1", "--out", "{scratch}"],
    "perf test": ["--quick", "--out", "{scratch}"],
    "perf ab": ["--old", "program {{port}}"],
    "perf compare": ["old.json", "new.json"],
}
"""Those that need one."""


def commands(group: typer.Typer, beginning: str = "") -> set[str]:
    found: set[str] = set()
    for name, command in get_command(group).commands.items():  # type: ignore[attr-defined] # of a group
        subcommands = getattr(command, "commands", None)
        if subcommands is None:
            found.add(beginning + name)
        else:
            found |= {f"{beginning}{name} {each}" for each in subcommands}
    return found


def plain_distributions() -> set[str]:
    """Return what `pip install choirbook` brings, normalised names."""
    found: set[str] = set()
    waiting = ["choirbook"]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for line in requires(name) or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                waiting.append(normalised(needed.name))
    return found


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def of_extras() -> list[str]:
    """Return the top-level modules that a plain installation does not have."""
    plain = plain_distributions()
    return [
        module
        for module, homes in packages_distributions().items()
        if not {normalised(home) for home in homes} & (plain | {"coverage", "pytest-cov"})
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("server")
    library = directory / "library"
    library.mkdir()
    (library / "a.md").write_text("# A\n")
    with running(rsgi_command(library, "--admin", f"unix:{directory}/admin"), directory / "run") as server:
        yield server


def run(
    server: Server, command: str, arguments: list[str], scratch: Path
) -> subprocess.CompletedProcess[str]:
    places = {
        "url": server.url,
        "admin": f"unix:{server.directory.parent / 'admin'}",
        "scratch": str(scratch / "out"),
    }
    given = [each.format(**places) for each in arguments]
    return subprocess.run(
        [sys.executable, "-c", BLOCKING, json.dumps(of_extras()), *command.split(), *given],
        cwd=scratch,
        env=environment({"PATH": "/usr/bin:/bin"}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_every_command_is_looked_at_here() -> None:
    known = commands(app) - {"perf"} | commands(perf_app(), "perf ")
    assert known == {*WORKING, *NEEDING}


def test_what_the_extras_bring_is_not_there() -> None:
    assert {"locust", "numpy", "redis", "opentelemetry", "pytest"} <= set(of_extras())
    assert not {"choirbook", "choirbook_perf", "granian", "msgspec"} & set(of_extras())


@pytest.mark.parametrize("command", WORKING)
def test_command_works_without_any_extra(server: Server, tmp_path: Path, command: str) -> None:
    arguments, code = WORKING[command]
    done = run(server, command, arguments, tmp_path)
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done.stderr


@pytest.mark.parametrize("command", NEEDING)
def test_command_that_needs_an_extra_names_it_in_one_line(
    server: Server, tmp_path: Path, command: str
) -> None:
    done = run(server, command, NEEDING[command], tmp_path)
    assert (done.returncode, done.stdout) == (NEEDS_EXTRA, ""), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "pip install 'choirbook[perf]'" in done.stderr


def test_redis_names_its_extra_in_one_line(server: Server, tmp_path: Path) -> None:
    done = run(server, "serve", ["--port", "0", "--redis", "redis://127.0.0.1:1"], tmp_path)
    assert done.returncode == NEEDS_EXTRA
    assert len(done.stderr.splitlines()) == 1
    assert "pip install 'choirbook[redis]'" in done.stderr
