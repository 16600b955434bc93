import csv
import io
import json
from pathlib import Path

import pytest

from choirbook.usage.clients import Client
from choirbook.usage.ledger import UsageLedger
from tests.support.cli import choirbook

READ, GONE, NEVER = "mcp://resources/read", "mcp://resources/gone", "mcp://resources/never"
NOON = "2026-11-24T12:00:00+00:00"
NOON_S = 1_795_521_600.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "usage.sqlite"
    ledger = UsageLedger(path, counts_clients=True)
    ledger.note_library((READ, NEVER))
    ledger.note(READ, 1200, NOON_S, Client("claude-code", "2.1"))
    ledger.note(READ, 1, NOON_S, Client("=cmd|'calc'", "[red]:smile:"))
    ledger.note(GONE, 3, NOON_S)
    ledger.note_change((), (GONE,))
    ledger.note_empty_search("@no such words")
    ledger.close()
    return path


def test_a_person_sees_tables(file: Path) -> None:
    found = choirbook("usage", file)
    assert (found.returncode, found.stderr) == (0, "")
    lines = [line.split() for line in found.stdout.splitlines()]
    assert ["Read:", "2", "documents"] in lines
    assert [READ, "1,201", NOON] in lines
    assert [GONE, "(gone)", "3", NOON] in lines
    assert ["Never", "read:", "1", "documents"] in lines
    assert [NEVER] in lines
    assert ["claude-code", "2.1", "1,200", NOON] in lines
    assert ["=cmd|'calc'", "[red]:smile:", "1", NOON] in lines
    assert any(line[:4] == ["@no", "such", "words", "1"] for line in lines)


def test_a_program_gets_json(file: Path) -> None:
    found = json.loads(choirbook("usage", file, "--format", "json").stdout)
    assert found["resources"] == [
        {"uri": GONE, "reads": 3, "lastReadS": NOON_S, "isServed": False},
        {"uri": NEVER, "reads": 0, "lastReadS": None, "isServed": True},
        {"uri": READ, "reads": 1201, "lastReadS": NOON_S, "isServed": True},
    ]
    assert found["clients"][0] == {
        "name": "claude-code",
        "version": "2.1",
        "reads": 1200,
        "lastReadS": NOON_S,
    }
    assert {(each["name"], each["uri"], each["reads"]) for each in found["loaded"]} == {
        ("claude-code", READ, 1200),
        ("=cmd|'calc'", READ, 1),
    }
    assert [each["query"] for each in found["emptySearches"]] == ["@no such words"]


def test_a_spreadsheet_gets_no_formula(file: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(choirbook("usage", file, "--format", "csv").stdout)))
    assert {row["kind"] for row in rows} == {"resource", "client", "loaded", "search"}
    assert {row["client"] for row in rows if row["kind"] == "client"} == {"claude-code", "'=cmd|'calc'"}
    assert [row["query"] for row in rows if row["kind"] == "search"] == ["'@no such words"]
    assert [(row["uri"], row["reads"], row["last"]) for row in rows if row["kind"] == "resource"] == [
        (GONE, "3", NOON),
        (NEVER, "0", ""),
        (READ, "1201", NOON),
    ]


def test_the_file_may_come_from_the_settings(file: Path) -> None:
    found = choirbook("usage", "--format", "json", environment={"CHOIRBOOK_USAGE": str(file)})
    assert len(json.loads(found.stdout)["resources"]) == 3


def test_the_server_that_runs_here_is_found(file: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    for name in ("choirbook-one", "choirbook-two"):
        (own / name).mkdir(parents=True)
        (own / name / "usage.sqlite").write_bytes(file.read_bytes())
        found = choirbook("usage", "--format", "json", environment={"TMPDIR": str(own)})
        if name == "choirbook-one":
            assert found.returncode == 0
            assert json.loads(found.stdout)["resources"]
    assert found.returncode == 2
    assert "choirbook-one" in found.stderr
    assert "choirbook-two" in found.stderr
    assert choirbook("usage", own / "choirbook-one").returncode == 0


def test_without_a_server_it_says_what_to_give(tmp_path: Path) -> None:
    found = choirbook("usage", environment={"TMPDIR": str(tmp_path)})
    assert found.returncode == 2
    assert "CHOIRBOOK_USAGE" in found.stderr


def test_what_is_no_usage_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("no database\n" * 100)
    for path in (other, tmp_path / "none.sqlite"):
        found = choirbook("usage", path)
        assert found.returncode == 2
        assert str(path) in found.stderr
        assert "Traceback" not in found.stderr
