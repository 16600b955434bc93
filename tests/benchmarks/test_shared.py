import json
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


def shared(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.shared", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=100, check=False)


def test_both_ways_to_every_form_are_measured() -> None:
    done = shared("--rounds", "3", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [row["form"] for row in result["rows"]] == [
        "raw",
        "json",
        "mcp-modern",
        "raw+gzip",
        "raw+zstd",
        "raw+br",
    ]
    for row in result["rows"]:
        assert row["body_bytes"] > 0
        assert row["source"]["wall_us"] > 0
        assert row["redis"]["wall_us"] > 0
    assert result["environment"]["cpu"]


@pytest.mark.parametrize("arguments", [("--rounds", "0"), ("--bytes", "0"), ("--bytes", "9999999")])
def test_figures_that_make_no_sense_are_refused(arguments: tuple[str, ...]) -> None:
    done = shared(*arguments)
    assert done.returncode == 2
    assert "usage" in done.stderr
