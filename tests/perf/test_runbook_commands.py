"""Every command of the runbook runs: whole where that is quick, and otherwise as far as its flags."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from choirbook_perf.results import save
from tests.perf.runbook_page import ROOT, commands
from tests.perf.sample_results import sample_result

LONG = ("choirbook perf test", "choirbook perf cold", "choirbook perf profile")
"""These measure for a minute or more; their own tests run them."""

DEADLINE_S = 60


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a checkout as far as the commands need one, so that none writes into the real one."""
    place = tmp_path_factory.mktemp("checkout")
    for name in ("deploy", "docs"):
        shutil.copytree(ROOT / name, place / name)
    shutil.copy(ROOT / "Taskfile.yml", place)
    for name in ("RESULT", "OTHER-RESULT", "OLD-RESULT", "NEW-RESULT"):
        save(sample_result(name), place / name)
    return place


def runnable(command: str) -> list[str]:
    if command.startswith(LONG):
        return [*shlex.split(command), "--help"]
    words = shlex.split(command)
    # Dry: it looks the task up, and prints what it would run.
    return ["task", "--dry", *words[1:]] if words[0] == "task" else words


@pytest.mark.parametrize("command", commands())
def test_command_runs(command: str, place: Path) -> None:
    words = runnable(command)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    if shutil.which(words[0], path=path) is None:
        pytest.skip(f"needs {words[0]}: scripts/install")
    done = subprocess.run(
        words,
        cwd=place,
        env={**os.environ, "PATH": path, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    # One run of each shows a difference, and no verdict on it.
    expected = 3 if command.startswith("choirbook perf compare OLD") else 0
    assert done.returncode == expected, done.stdout + done.stderr


def test_commands_are_found() -> None:
    found = commands()
    assert "task perf:test" in found
    assert "choirbook perf runbook" in found
    assert len([command for command in found if command.startswith("promtool")]) == 3
