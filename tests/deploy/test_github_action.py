"""The composite action in deploy/github-action: its file, and its steps as a runner runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from junitparser import JUnitXml

ROOT = Path(__file__).resolve().parents[2]
ACTION = ROOT / "deploy" / "github-action" / "action.yml"
_INPUT = re.compile(r"^\$\{\{ inputs\.([\w-]+) \}\}$")
_OUTPUT = re.compile(r"^\$\{\{ steps\.([\w-]+)\.outputs\.([\w-]+) \}\}$")


def action() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(ACTION.read_text("utf-8"))
    return document


class Runner:
    """Runs steps as GitHub's runner does: an environment, and files for outputs and the summary."""

    def __init__(self, directory: Path, **inputs: str) -> None:
        document = action()
        self.steps = document["runs"]["steps"]
        self.inputs = {name: str(one["default"]) for name, one in document["inputs"].items()} | inputs
        self.outputs: dict[str, dict[str, str]] = {}
        self.directory = directory
        self.summary = directory / "summary.md"
        self.said = ""

    def run(self, step: dict[str, Any]) -> int:
        """Run one step; returns its exit code."""
        output = self.directory / "output"
        output.write_text("")
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.directory),
            "PIP_NO_INDEX": "1",
            "RUNNER_TEMP": str(self.directory),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            **{name: self.value(value) for name, value in step.get("env", {}).items()},
        }
        done = subprocess.run(
            # What `shell: bash` stands for.
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        self.said += done.stdout + done.stderr
        if "id" in step:
            lines = output.read_text().splitlines()
            self.outputs[step["id"]] = dict(line.split("=", 1) for line in lines)
        return done.returncode

    def value(self, text: str) -> str:
        """Return what an expression stands for."""
        named = _INPUT.match(text)
        if named:
            return self.inputs[named[1]]
        made = _OUTPUT.match(text)
        assert made, f"{text} is neither an input nor an output"
        return self.outputs.get(made[1], {}).get(made[2], "")


def step_of(id_: str) -> dict[str, Any]:
    return next(step for step in action()["runs"]["steps"] if step.get("id") == id_)


def wheel(directory: Path) -> Path:
    """Make a wheel of this checkout as it is installed here: the command, and a way to its packages."""
    path = directory / "choirbook-0-py3-none-any.whl"
    packages = sysconfig.get_path("purelib")
    members = {
        "choirbook_here.pth": f"import site; site.addsitedir({packages!r})\n{ROOT / 'src'}\n",
        "choirbook-0.dist-info/METADATA": "Metadata-Version: 2.1\nName: choirbook\nVersion: 0\n",
        "choirbook-0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "choirbook-0.dist-info/entry_points.txt": "[console_scripts]\nchoirbook = choirbook.cli:main\n",
    }
    members["choirbook-0.dist-info/RECORD"] = "".join(
        f"{name},,\n" for name in [*members, "choirbook-0.dist-info/RECORD"]
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def test_the_file_is_an_action() -> None:
    check = Path(sys.executable).parent / "check-jsonschema"
    command: list[str | Path] = [check, "--builtin-schema", "vendor.github-actions", ACTION]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_input_becomes_part_of_a_script() -> None:
    for step in action()["runs"]["steps"]:
        assert "${{" not in step["run"], step["name"]


def test_every_step_runs_and_its_results_are_where_the_outputs_say(tmp_path: Path) -> None:
    (tmp_path / "slo.toml").write_text('thresholds = ["p50 < 100s", "failures.rate == 0"]\n')
    runner = Runner(
        tmp_path,
        package=str(wheel(tmp_path)),
        slo="slo.toml",
        users="4",
        options="--spawn-rate 20 --think-time 0.01-0.02 --locust",
        **{"run-time": "3s"},
    )
    codes = {step["name"]: runner.run(step) for step in runner.steps}
    assert set(codes.values()) == {0}, runner.said
    outputs = {name: runner.value(one["value"]) for name, one in action()["outputs"].items()}
    assert outputs["outcome"] == "passed"
    assert (tmp_path / outputs["result"]).exists()
    suite = next(iter(JUnitXml.fromfile(str(tmp_path / outputs["junit"]))))
    assert (suite.tests, suite.failures, suite.errors) == (2, 0, 0)
    assert runner.summary.read_text("utf-8").startswith("## github: ✅ passed")
    assert (tmp_path / "perf-results" / "github" / "report.html").exists()


@pytest.mark.parametrize(
    ("status", "unknown", "code", "outcome"),
    [
        ("0", "warn", 0, "passed"),
        ("1", "warn", 1, "failed"),
        ("2", "warn", 2, "failed"),
        ("3", "warn", 0, "unknown"),
        ("3", "fail", 3, "unknown"),
        ("4", "warn", 4, "failed"),
        ("", "warn", 1, "failed"),
    ],
)
def test_the_job_ends_as_the_exit_code_and_the_input_say(
    status: str, unknown: str, code: int, outcome: str, tmp_path: Path
) -> None:
    runner = Runner(tmp_path, unknown=unknown)
    runner.outputs["test"] = {"status": status} if status else {}
    assert runner.run(step_of("judge")) == code
    assert runner.outputs["judge"]["outcome"] == outcome
    assert ("::warning" in runner.said, "::error" in runner.said) == (
        outcome == "unknown" and unknown == "warn",
        code != 0,
    )


def test_a_run_that_was_interrupted_exports_nothing(tmp_path: Path) -> None:
    runner = Runner(tmp_path)
    runner.outputs["test"] = {"status": "3", "result": "none.json"}
    assert runner.run(step_of("export")) == 0
    assert not runner.summary.exists()
