"""Files and commands named in CONTRIBUTING.md and the commit hooks exist and run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TASKS = yaml.safe_load((ROOT / "Taskfile.yml").read_text())["tasks"]


def test_every_task_and_script_that_the_page_names_exists() -> None:
    tasks = set(re.findall(r"\btask ([a-z][\w:-]*)", PAGE))
    assert len(tasks) > 5
    assert tasks <= set(TASKS)
    scripts = set(re.findall(r"\bscripts/[\w.-]+", PAGE))
    assert len(scripts) > 5
    assert [name for name in scripts if not (ROOT / name.rstrip(".")).is_file()] == []


def test_hooks_need_nothing_but_the_checkout() -> None:
    assert [repo["repo"] for repo in HOOKS] == ["local"]
    hooks = HOOKS[0]["hooks"]
    assert {hook["language"] for hook in hooks} == {"system"}
    assert len({hook["id"] for hook in hooks}) == len(hooks)


@pytest.mark.parametrize("hook", HOOKS[0]["hooks"], ids=lambda hook: hook["id"])
def test_a_hook_runs_a_tool_of_the_environment_as_scripts_check_does(hook: dict[str, str]) -> None:
    command, *arguments = hook["entry"].split()
    tool = Path(command).name
    # Tests may run in another environment than .venv; its tools are beside its Python.
    found = shutil.which(tool, path=str(Path(sys.executable).parent))
    assert found is not None
    assert command == f".venv/bin/{tool}"
    wanted = " ".join([tool, *(each for each in arguments if each != "--force-exclude")])
    assert wanted in (ROOT / "scripts" / "check").read_text().splitlines()
    if tool == "ruff":
        subprocess.run([found, *arguments, "scripts/check_size.py"], cwd=ROOT, check=True, timeout=60)


def test_security_page_and_package_point_to_one_repository() -> None:
    repository = PROJECT["urls"]["Repository"]
    assert all(url.startswith(repository) for url in PROJECT["urls"].values())
    assert f"{repository}/security/advisories/new" in (ROOT / "SECURITY.md").read_text()
