"""The program on a small checkout: a package, tests that notice some bugs, and one that starts a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

FILES = {
    "pyproject.toml": '[tool.pytest.ini_options]\naddopts = ["--import-mode=importlib"]\n',
    ".gitignore": ".cache/\n__pycache__/\n",
    "src/choirbook/__init__.py": "",
    "src/choirbook/counting.py": """\
LIMITS = {"max": 3}


def may_enter(count):
    return count < LIMITS["max"]


def leave(inside, name):
    inside.discard(name)


def spin(items):
    while items:
        items.pop()


def main():
    print(may_enter(2))


def forgotten():
    return 1
""",
    "tests/test_counting.py": """\
import subprocess, sys
from choirbook.counting import leave, may_enter, spin

def test_limit():
    assert may_enter(2) and not may_enter(3)

def test_leaving():
    leave({"a"}, "a")

def test_spinning():
    spin([1])

def test_main():
    command = [sys.executable, "-c", "from choirbook.counting import main; main()"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"True\\n"
""",
    "tests/mutants/areas.toml": """\
[counting]
modules = ["src/choirbook/counting.py"]
tests = ["tests"]
""",
    "tests/mutants/accepted.toml": "",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


def run(checkout: Path, *arguments: str) -> tuple[int, str, dict[tuple[str, str], str]]:
    """Run the program, and return its status, its output, and the fate by function and operator."""
    results = checkout / ".cache" / "results.json"
    command = [
        sys.executable,
        "-m",
        "tests.mutants",
        "--root",
        str(checkout),
        "--json",
        str(results),
        *arguments,
    ]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "CHOIRBOOK_MUTANTS_GRACE_S": "12"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    area: Any = json.loads(results.read_bytes())["areas"]["counting"]
    fates = {
        (each["mutant"]["function"], each["mutant"]["operator"]): each["fate"] for each in area["verdicts"]
    }
    return done.returncode, done.stdout, fates


@pytest.mark.timeout(300)
def test_bugs_are_planted_in_a_copy_and_judged(checkout: Path) -> None:
    before = {name: (checkout / name).read_bytes() for name in FILES}
    status, output, fates = run(checkout, "--all")
    assert fates["may_enter", "boundary"] == "killed"
    assert fates["", "constant"] == "killed", "by the tests of the functions that use it"
    assert fates["main", "remove"] == "killed", "in a process that a test started"
    assert fates["leave", "remove"] == "survived"
    assert fates["spin", "remove"] == "timed out"
    assert fates["forgotten", "return"] == "untested"
    assert status == 1
    assert "-    inside.discard(name)\n+    pass" in output
    assert {name: (checkout / name).read_bytes() for name in FILES} == before

    entry = {"module": "src/choirbook/counting.py", "function": "leave", "operator": "remove"}
    entry |= {"before": "inside.discard(name)", "after": "pass", "reason": "It is about this test."}
    text = "[[mutant]]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in entry.items())
    (checkout / "tests/mutants/accepted.toml").write_text(text)
    _, output, fates = run(checkout, "--per-module", "3")
    assert ("leave", "remove") not in fates
    assert "accepted survivors, which are not planted: 1" in output
    assert "recorded" not in output, "what the tests execute is known from the first run"
