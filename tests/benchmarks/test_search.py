import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.sampler import missing
from benchmarks.search import plant, queries

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(bool(missing()), reason=f"cannot measure: {missing()}")
def test_a_small_library_is_measured() -> None:
    command = [sys.executable, "-m", "benchmarks.search", "--documents", "20", "--queries", "5", "--json"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=100, check=True)
    result = json.loads(done.stdout)
    assert result["documents"] == 20
    assert result["search_ms"]["p50"] > 0
    assert set(result["read_ms"]) == {"idle", "while_building", "while_searching"}
    assert result["environment"]["python"]


def test_the_library_and_the_queries_are_the_same_in_every_run(tmp_path: Path) -> None:
    for name in ("one", "other"):
        plant(tmp_path / name, 3, 2048)
    contents = [
        [file.read_bytes() for file in sorted((tmp_path / name).iterdir())] for name in ("one", "other")
    ]
    assert contents[0] == contents[1]
    assert all(len(content) >= 2048 for content in contents[0])
    assert queries(5) == queries(5)
