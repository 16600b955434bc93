"""Log of a real server on stderr: its format, and that no line is lost at the end."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.servers.conftest import Start
from tests.support.servers import end, rsgi_command, running, wait_for

CORE = "mcp://resources/sdlc/core"
CORE_PATH = "/mcp/resources/sdlc/core"
READS = 300


def test_no_line_is_lost_when_a_server_is_told_to_stop(start: Start, root: Path) -> None:
    with start(root, CHOIRBOOK_LOG_REQUEST_IDS="true") as server, server.client() as client:
        for number in range(READS):
            client.get(CORE_PATH, headers={"x-request-id": f"id-{number}"})
        end(server.process)
        assert [line["request_id"] for line in server.read_lines(CORE)] == [f"id-{n}" for n in range(READS)]


def test_two_workers_write_whole_lines(root: Path, tmp_path: Path) -> None:
    with (
        running(rsgi_command(root, "--workers", "2", "--log-request-ids"), tmp_path / "run") as server,
        server.client(fresh=True) as client,
    ):
        for _ in range(READS):
            client.get(CORE_PATH)
        end(server.process)
        lines = server.read_lines(CORE)
    assert len({line["request_id"] for line in lines}) == READS


def test_people_get_other_lines_than_programs(root: Path, tmp_path: Path) -> None:
    command = rsgi_command(root, "--log-format", "console", "--log-level", "warning")
    with running(command, tmp_path / "run") as server, server.client() as client:
        client.get(CORE_PATH)
        (line,) = wait_for(lambda: [each for each in server.stderr.splitlines() if CORE in each], "a line")
        assert line.split()[1:4] == ["read", "200", "miss"]
        (root / "choirbook.toml").write_text("this is no TOML")
        told = wait_for(lambda: [each for each in server.stderr.splitlines() if "rules" in each], "an event")
        assert "warning" in told[0]


def test_events_are_json_where_nobody_looks(root: Path, tmp_path: Path) -> None:
    with (
        running(rsgi_command(root, "--log-hits", "0"), tmp_path / "run") as server,
        server.client() as client,
    ):
        for _ in range(5):
            client.get(CORE_PATH)
        (root / "choirbook.toml").write_text("this is no TOML")
        wait_for(lambda: "rules" in server.stderr, "an event")
        events = [json.loads(line) for line in server.stderr.splitlines() if "rules" in line]
        assert events[0]["level"] == "warning"
        assert events[0]["logger"] == "choirbook.follower"
        end(server.process)
        assert [line["cache_result"] for line in server.read_lines(CORE)] == ["miss"]


@pytest.mark.parametrize("hits", ["-0.1", "1.5", "nan"])
def test_a_part_that_is_none_ends_the_start(root: Path, tmp_path: Path, hits: str) -> None:
    with (
        pytest.raises(AssertionError, match="log_hits"),
        running(rsgi_command(root, f"--log-hits={hits}"), tmp_path / "run"),
    ):
        os.abort()  # it never gets here
