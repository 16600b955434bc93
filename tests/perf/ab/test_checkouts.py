"""Commits of a small repository that has a package of the name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from choirbook_perf.ab import checkouts
from choirbook_perf.errors import BadInput

LOCK = '[project]\nname = "choirbook"\ndependencies = ["b>=1", "a>=1"]\n'


def git(*arguments: str) -> str:
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
    done = subprocess.run(["git", *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "repository"
    package = root / "src" / "choirbook"
    (package / "cli").mkdir(parents=True)
    for name in ("__init__.py", "cli/__init__.py", "cli/serve.py"):
        (package / name).write_text("")
    (root / "pyproject.toml").write_text(LOCK)
    (root / "constraints.txt").write_text("a==1\n")
    monkeypatch.chdir(root)
    git("init", "--quiet", "--initial-branch", "main")
    git("add", ".")
    git("commit", "--quiet", "--message", "First")
    return root


def test_a_commit_is_checked_out_for_a_time(repository: Path, tmp_path: Path) -> None:
    commit = checkouts.commit_of("main")
    assert commit == git("rev-parse", "HEAD")
    (repository / "src" / "choirbook" / "__init__.py").write_text("changed = True\n")
    with checkouts.checked_out(commit, tmp_path) as directory:
        assert (directory / "src" / "choirbook" / "__init__.py").read_text() == ""
        assert str(directory) in git("worktree", "list")
    assert not directory.exists()
    assert str(directory) not in git("worktree", "list")


def test_a_name_that_is_no_commit_is_none() -> None:
    assert checkouts.commit_of("no-such-branch") == ""
    assert checkouts.commit_of("--help") == ""


def test_a_commit_with_the_same_lock_runs_in_this_environment(tmp_path: Path) -> None:
    with (
        checkouts.checked_out(checkouts.commit_of("main"), tmp_path) as directory,
        checkouts.interpreter(directory, tmp_path) as python,
    ):
        assert python.environment == checkouts.SAME
        assert python.command[0] == sys.executable
        assert python.variables == {"PYTHONPATH": str(directory / "src")}


def test_only_packages_count_as_the_lock(repository: Path) -> None:
    before = checkouts.lock_of(repository)
    (repository / "pyproject.toml").write_text(
        '[project]\nname = "choirbook"\ndescription = "Other"\ndependencies = ["a>=1", "b>=1"]\n'
    )
    assert checkouts.lock_of(repository) == before
    (repository / "constraints.txt").write_text("a==2\n")
    assert checkouts.lock_of(repository) != before


def test_a_commit_without_the_package_is_refused(repository: Path, tmp_path: Path) -> None:
    git("rm", "-r", "--quiet", "src")
    git("commit", "--quiet", "--message", "Remove")
    with (
        checkouts.checked_out(checkouts.commit_of("main"), tmp_path) as directory,
        pytest.raises(BadInput, match="has no src/choirbook"),
        checkouts.interpreter(directory, tmp_path),
    ):
        pass


def test_a_commit_that_does_not_start_is_refused_with_its_reason(repository: Path, tmp_path: Path) -> None:
    (repository / "src" / "choirbook" / "cli" / "serve.py").write_text("import no_such_package\n")
    git("commit", "--quiet", "--all", "--message", "Break")
    with (
        checkouts.checked_out(checkouts.commit_of("main"), tmp_path) as directory,
        pytest.raises(BadInput, match="no_such_package"),
        checkouts.interpreter(directory, tmp_path),
    ):
        pass
