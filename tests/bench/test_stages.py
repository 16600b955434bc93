import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.bench.stages import stage_of

STAGES = {
    "hit": {"decode", "check", "splice", "route", "negotiate", "look-up", "record", "log", "send"},
    "miss": {
        "open",
        "read",
        "digest",
        "render raw",
        "render json",
        "render mcp-modern",
        "render mcp-handshake",
    }
    | {"compress zstd", "compress br", "compress gzip"},
    "whole": {"GET raw", "GET json", "resources/read modern", "resources/read handshake"},
}


def choirbook(*arguments: str) -> str:
    command = [sys.executable, "-m", "choirbook", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=100).stdout


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(choirbook("stages", "--json", "--batches", "3", "--bytes", "5000"))
    return decoded


def test_every_stage_of_a_hit_and_of_a_miss_has_a_figure(measured: dict[str, Any]) -> None:
    for path, names in STAGES.items():
        found = {stage["stage"]: stage for stage in measured["stages"] if stage["path"] == path}
        assert found.keys() == names
        assert all(stage["measures"] for stage in found.values())
        assert all(0 <= stage["low_us"] <= stage["us"] <= stage["high_us"] for stage in found.values())


def test_the_table_says_what_it_was_measured_with(measured: dict[str, Any]) -> None:
    assert measured["format"] == 1
    assert measured["batches"] == 3
    assert measured["document_bytes"] == 5000


def test_a_person_gets_a_table() -> None:
    text = choirbook("stages", "--batches", "1", "--bytes", "1000")
    assert "hit look-up" in text
    assert "miss digest" in text


def test_calls_are_counted_exactly() -> None:
    counted = json.loads(choirbook("stages", "--json", "--calls", "20", "--bytes", "1000"))
    by_request = {drive["request"]: drive["functions"] for drive in counted["drives"]}
    assert by_request.keys() == STAGES["whole"]
    calls = {f["function"]: f["calls"] for f in by_request["resources/read modern"]}
    assert calls["choirbook/mcp/messages.py:decode"] == 20
    assert calls["choirbook/library/library.py:read"] == 20
    assert "choirbook/mcp/messages.py:decode" not in {f["function"] for f in by_request["GET raw"]}


def test_counted_functions_have_no_path_of_the_machine() -> None:
    counted = json.loads(choirbook("stages", "--json", "--calls", "2", "--bytes", "1000"))
    assert not [f for drive in counted["drives"] for f in drive["functions"] if f["function"].startswith("/")]


def test_calls_are_printed_for_a_person() -> None:
    assert "choirbook/library/library.py:read" in choirbook("stages", "--calls", "2", "--bytes", "1000")


def test_it_is_not_in_the_help() -> None:
    assert "stages" not in choirbook("--help")


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_a_row_lies_within_its_samples(taken_us: list[float]) -> None:
    stage = stage_of("a", "hit", "b", taken_us)
    assert stage.low_us <= stage.us <= stage.high_us
    assert round(min(taken_us), 3) <= stage.low_us
    assert stage.high_us <= round(max(taken_us), 3)
