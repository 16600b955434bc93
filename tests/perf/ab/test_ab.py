"""The command with real servers, for seconds: what it says of them is for the pool to prove."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import msgspec

from choirbook_perf.ab import results
from choirbook_perf.own_server import starter_library
from tests.perf.processes import REPOSITORY, perf, serving

SHORT = ("--rounds", "1", "--seconds", "0.2", "--rate", "200")
"""Too short for an outcome. On a busy machine the generator may be starved, and its latencies not count."""


def choirbook(*more: str) -> str:
    words = [sys.executable, "-m", "choirbook", "serve", str(starter_library()), "--port", "{port}", *more]
    return shlex.join(words).replace("'{port}'", "{port}")


def test_a_checkout_beside_a_command_leaves_a_result_with_every_slice(tmp_path: Path) -> None:
    done = perf("ab", "--old", REPOSITORY, "--new", choirbook(), *SHORT, "--out", tmp_path, "--json")
    assert done.returncode == 3, done.stderr
    assert msgspec.json.decode(done.stdout)["failures"] == {"old": [0, 160], "new": [0, 160]}
    found = results.load(tmp_path / "ab.json")
    assert [each.given for each in found.subjects] == ["checkout", "command"]
    assert found.subjects[0].environment == "this environment"
    assert len(found.slices) == 4 * 2
    assert all(each.cpu_us and each.requests and not each.failures for each in found.slices)
    assert {each.side for each in found.slices} == {0, 1}
    assert str(REPOSITORY) not in (tmp_path / "ab.json").read_text()


def test_servers_with_different_content_are_refused(tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "doc.md").write_text("# Other\n")
    other = choirbook().replace(str(starter_library()), str(library))
    done = perf("ab", "--old", choirbook(), "--new", other, *SHORT, "--out", tmp_path)
    assert done.returncode == 2
    assert "cannot be compared" in done.stderr


def test_a_url_has_no_processor_time(tmp_path: Path) -> None:
    with serving("fastmcp_server", "3") as url:
        done = perf(
            "ab", "--old", url, "--new", url, "--protocol", "mcp", *SHORT, "--out", tmp_path, "--json"
        )
    assert done.returncode == 3, done.stderr
    assert msgspec.json.decode(done.stdout)["skipped"]["cpu_us"] == "not measured"
