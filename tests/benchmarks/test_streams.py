import json
import subprocess
import sys

from tests.support.servers import DEADLINE_S, REPOSITORY


def test_streams_are_opened_told_and_measured() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.streams", "--streams", "20", "--edits", "1", "--json"],
        cwd=REPOSITORY,
        capture_output=True,
        timeout=2 * DEADLINE_S,
        check=True,
    )
    result = json.loads(done.stdout)
    (edit,) = result["edits"]
    assert result["streams"] == 20
    assert 0 < edit["first_ms"] <= edit["last_ms"]
    assert edit["probe_max_ms"] > 0
    assert result["environment"]["cores"] >= 1
