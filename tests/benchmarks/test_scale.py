import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.sampler import LOAD_CORE
from benchmarks.scale import latency, name_of, plant, rewrite, text_of

CHECKOUT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.timeout(120)


def scale(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.scale", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.skipif((os.cpu_count() or 1) <= LOAD_CORE, reason="two cores are needed")
def test_a_library_is_measured_from_its_start_to_a_mass_change() -> None:
    done = scale("--files", "1200", "--changes", "60", "--seconds", "1", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["files"], result["changes"]) == (1200, 60)
    assert result["environment"]["cpu"]
    assert result["ready_s"] > 0
    assert set(result["bytes_per_resource"]) == {"start", "scans", "change"}
    assert result["listing"]["mcp"]["deep"]["requests"] > 0
    for reads in (result["floor"]["reads"], result["scanned"], result["changed"]["reads"]):
        assert reads["requests"] > 0
        assert reads["p50_ms"] <= reads["p95_ms"] <= reads["longest_ms"]


@pytest.mark.parametrize(
    "arguments", [("--changes", "0"), ("--files", "10", "--changes", "10"), ("--files", "x")]
)
def test_figures_that_make_no_sense_are_refused(arguments: tuple[str, ...]) -> None:
    done = scale(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_rewrite_changes_the_first_documents_and_no_other(tmp_path: Path) -> None:
    plant(tmp_path, 250)
    rewrite(tmp_path, 120)
    for number in range(250):
        edition = 2 if number < 120 else 1
        assert (tmp_path / name_of(number)).read_text() == text_of(number, edition)
    assert len(list(tmp_path.rglob("*"))) == 250 + 100


def test_the_longest_request_is_told_beside_the_usual_ones() -> None:
    found = latency([0.001] * 99 + [0.5])
    assert (found.requests, found.p50_ms, found.p95_ms, found.longest_ms) == (100, 1.0, 1.0, 500.0)
