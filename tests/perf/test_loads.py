"""`choirbook perf test` on real servers: Choirbook, FastMCP, the official SDK, and one with pages only."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.perf.foreign.recording_proxy import recorded
from tests.perf.processes import DEADLINE_S, REPOSITORY, SHORT, command, loaded, perf, requests, serving

ERAS = ("modern", "handshake")


def test_a_choirbook_of_its_own_is_started_loaded_over_http_and_stopped(tmp_path: Path) -> None:
    result = loaded(tmp_path, "--cache-ttl", "0.2")
    assert requests(result) > 100
    assert not result["failures"]
    assert result["target"]["started_here"]
    assert {series["resource_type"] for series in result["series"]} == {"sdlc", "pattern", "template"}
    assert {series["cache_result"] for series in result["series"]} == {"hit", "miss"}
    assert result["server_after"]["process_cpu_seconds_total"] > 0
    phases = {phase["kind"]: phase["requests"] for phase in result["phases"]}
    assert phases["measured"] == requests(result)
    assert sum(tick["requests"] for tick in result["timeline"]) == sum(phases.values())


def test_locust_s_own_reports_lie_beside_the_result(tmp_path: Path) -> None:
    result = loaded(tmp_path, "--locust")
    assert (result["generator"]["name"], result["generator"]["is_checked"]) == ("locust", False)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"result.json", "locust.html", "locust_stats.csv", "locust_failures.csv"} <= names


@pytest.mark.parametrize("era", ERAS)
def test_a_choirbook_of_its_own_is_loaded_over_mcp(era: str, tmp_path: Path) -> None:
    result = loaded(tmp_path, "--protocol", "mcp", "--era", era)
    assert requests(result) > 100
    assert not result["failures"]
    assert (result["target"]["protocol"], result["target"]["era"]) == ("mcp", era)
    assert result["target"]["server"].startswith("choirbook ")


def test_users_are_spread_over_ten_projects(tmp_path: Path) -> None:
    result = loaded(tmp_path, "--users", "20")
    assert len({series["project"] for series in result["series"]}) == 10


def test_several_processes_make_the_load_and_their_counts_are_added_up(tmp_path: Path) -> None:
    result = loaded(tmp_path, "--processes", "2", "--users", "10")
    assert requests(result) > 100
    assert len({series["project"] for series in result["series"]}) == 10
    assert sum(tick["requests"] for tick in result["timeline"]) == requests(result)
    assert max(tick["users"] for tick in result["timeline"]) == 10


def test_a_fastmcp_server_is_listed_page_by_page_and_read(tmp_path: Path) -> None:
    with serving("fastmcp_server", "5") as url:
        result = loaded(tmp_path, "--url", url, "--protocol", "mcp", "--era", "handshake")
    assert requests(result) > 20
    assert not result["failures"]
    assert {series["name"] for series in result["series"]} == {f"book-{number}" for number in range(5)}
    assert {series["resource_type"] for series in result["series"]} == {"unknown"}
    assert {series["cache_result"] for series in result["series"]} == {"unknown"}
    assert result["target"]["server"] == "shelf 7"


def test_a_server_of_the_official_sdk_is_read_by_locust_in_sessions(tmp_path: Path) -> None:
    with serving("sdk_server", "stream") as url, recorded(url) as proxy:
        options = ("--url", proxy.url, "--protocol", "mcp", "--era", "handshake", "--locust")
        result = loaded(tmp_path, *options)
    assert requests(result) > 20
    assert not result["failures"]
    assert result["scenario"]["name"] == "mission"
    assert {series["resource_type"] for series in result["series"]} == {"sdlc", "pattern", "template"}
    assert len(proxy.opened()) == 5
    assert sorted(proxy.ended()) == sorted(proxy.opened())


def test_a_scenario_s_star_stands_for_all_pages_of_a_listing(tmp_path: Path) -> None:
    scenario = tmp_path / "all.toml"
    scenario.write_text('name = "all"\n[[task]]\nname = "any"\nresources = ["*"]\n')
    with serving("sdk_server", "json") as url:
        result = loaded(tmp_path, "--url", url, "--protocol", "mcp", "--scenario", scenario)
    assert len(result["scenario"]["tasks"][0]["resources"]) == 6


def test_the_era_is_found_out_when_nobody_says_it(tmp_path: Path) -> None:
    with serving("sdk_server", "stream") as url:
        assert loaded(tmp_path, "--url", url, "--protocol", "mcp")["target"]["era"] == "modern"


def test_paths_of_a_server_that_knows_nothing_of_resources_are_read(tmp_path: Path) -> None:
    scenario = tmp_path / "pages.toml"
    scenario.write_text('name = "pages"\n[[task]]\nname = "page"\nresources = ["/page"]\n')
    with serving("plain_server") as url:
        result = loaded(tmp_path, "--url", url, "--scenario", scenario)
    assert requests(result) > 20
    assert not result["failures"]
    assert result["server_before"] == {}


def test_a_slowed_server_fails_the_gate_and_the_rows_are_named(tmp_path: Path) -> None:
    done = perf(
        "test",
        "--locust",  # judges whatever else the machine does meanwhile
        "--users",
        "10",
        "--spawn-rate",
        "20",
        "--run-time",
        "4s",
        "--inject-delay",
        "150",
        "--out",
        tmp_path,
    )
    assert done.returncode == 1, done.stderr
    assert "p50 is " in done.stderr
    assert "p95 is " in done.stderr
    rows = {row["metric"]: row for row in json.loads((tmp_path / "result.json").read_bytes())["verdict"]}
    assert rows["p50"]["outcome"] == "fail"
    assert rows["p50"]["measured"] >= 150
    assert rows["failures.rate"]["outcome"] == "pass"


def test_a_run_that_is_too_short_to_say_ends_with_3(tmp_path: Path) -> None:
    done = perf("test", "--locust", "--users", "1", "--run-time", "1s", "--out", tmp_path)
    assert done.returncode == 3, done.stderr
    assert "299 are needed" in done.stderr


def test_thresholds_of_a_file_are_what_a_run_is_held_to(tmp_path: Path) -> None:
    slo = tmp_path / "slo.toml"
    slo.write_text('thresholds = ["p50 < 10000", "failures.count <= 5"]\n')
    done = perf(
        "test",
        *SHORT,
        "--locust",
        "--slo",
        slo,
        "--json",
        "--out",
        tmp_path / "out",
    )
    assert done.returncode == 0, done.stderr
    verdict = json.loads(done.stdout)
    assert verdict["outcome"] == "pass"
    assert [row["metric"] for row in verdict["verdict"]] == ["p50", "failures.count"]


def test_a_failed_run_is_confirmed_by_a_second_one(tmp_path: Path) -> None:
    slo = tmp_path / "slo.toml"
    slo.write_text('thresholds = ["p50 > 100s", "p50 < 100s"]\n')
    out = tmp_path / "out"
    done = perf("test", *SHORT, "--locust", "--slo", slo, "--confirm", "--json", "--out", out)
    assert done.returncode == 1, done.stderr
    rows = json.loads((out / "result.json").read_bytes())["verdict"]
    assert [(row["outcome"], row["reason"]) for row in rows] == [
        ("fail", "failed in 2 of 2 runs"),
        ("pass", ""),
    ]
    assert [(out / name / "result.json").exists() for name in ("run-1", "run-2", "run-3")] == [
        True,
        True,
        False,
    ]


def test_a_required_row_without_a_sample_is_shown_and_passes_nothing(tmp_path: Path) -> None:
    slo = tmp_path / "slo.toml"
    slo.write_text('thresholds = ["p50 < 100s", "miss.p50 < 100s"]\n')
    scenario = tmp_path / "pages.toml"
    scenario.write_text('name = "pages"\n[[task]]\nname = "page"\nresources = ["/page"]\n')
    with serving("plain_server") as url:
        asked = ("test", *SHORT, "--locust", "--url", url, "--scenario", scenario, "--slo", slo)
        done = perf(*asked, "--out", tmp_path / "a")
        strict = perf(*asked, "--fail-unmeasured", "--out", tmp_path / "b")
    assert (done.returncode, strict.returncode) == (3, 1), done.stderr
    assert "not measured: the server reported no miss" in " ".join(done.stdout.split())
    assert "Not measured: miss.p50" in strict.stderr


def test_workers_of_other_machines_make_the_load_for_a_master(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = ("--protocol", "mcp", "--master-port", port)
    with serving("sdk_server", "json") as url:
        worker = subprocess.Popen(command("test", "--worker", "--url", url, *shared), stderr=subprocess.PIPE)
        result = loaded(tmp_path, "--master", "--url", url, *shared)
        _, told = worker.communicate(timeout=DEADLINE_S)
    assert worker.returncode == 0, told
    assert requests(result) > 20
    assert not result["failures"]


def test_the_locustfile_works_with_plain_locust(tmp_path: Path) -> None:
    with serving("sdk_server", "json") as url:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "locust", "--headless", "--host", url, "--protocol", "mcp"),
                *("--think-time", "none", "--users", "2", "--run-time", "2s", "--csv", tmp_path / "plain"),
            ],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "sdlc/core" in (tmp_path / "plain_stats.csv").read_text("utf-8")


def test_a_library_without_the_mission_s_resources_is_read_evenly(tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    for name in ("one.md", "two words.md"):
        (library / name).write_text("# A guide\n")
    result = loaded(tmp_path / "out", "--library", library)
    assert result["target"]["server"].startswith("Choirbook ")
    assert result["scenario"]["name"] == "every resource"
    assert {series["name"] for series in result["series"]} == {"files/one.md", "files/two words.md"}
    assert {series["resource_type"] for series in result["series"]} == {"file"}
    assert not result["failures"]


def test_on_a_terminal_the_progress_renews_itself(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb") as screen:
        process = subprocess.Popen(
            command("test", *SHORT, "--out", tmp_path),
            env=os.environ | {"TERM": "xterm", "COLUMNS": "160"},
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        )
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # what reading a terminal ends with, once nobody writes to it
            while chunk := os.read(screen.fileno(), 4096):
                shown += chunk
        process.wait(DEADLINE_S)
    assert b"4 users" in shown
    assert b"\x1b[" in shown
