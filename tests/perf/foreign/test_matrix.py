"""`perf test` on servers of other projects: probed, loaded, and left without a session open."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from choirbook_perf import engine
from choirbook_perf.engine import ClosedLoad
from choirbook_perf.plan import Plan
from choirbook_perf.planner import make_plan
from choirbook_perf.recorder import Measured
from tests.perf.foreign.recording_proxy import recorded
from tests.perf.foreign.servers import FOREIGN, STDIO, foreign, module, signed
from tests.perf.foreign.servers import Foreign as Server
from tests.perf.processes import perf, requests

TOKEN = "s3cr3t-t0k3n"  # noqa: S105 - not one that opens anything
LOAD = ClosedLoad(users=3, run_time_s=2, spawn_rate=20, warm_up_s=0)
STDIO_LOAD = ClosedLoad(users=3, run_time_s=2, spawn_rate=20, warm_up_s=8)
"""A server over stdio starts with its user's first request, and takes its time on a busy machine."""

SHORT = (
    "--users",
    "3",
    "--spawn-rate",
    "20",
    "--run-time",
    "1s",
    "--warm-up",
    "0",
    "--think-time",
    "0.02-0.03",
)


def measured(plan: Plan, load: ClosedLoad = LOAD) -> Measured:
    """Load a server for two seconds, without a failure."""
    found, _ = engine.run(plan, load, with_floor=False)
    assert found.failures == []
    assert sum(count for series in found.series for _, count in series.counts) > 20
    return found


def names(found: Measured) -> set[str]:
    return {series.name for series in found.series}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_server_is_loaded_and_its_sessions_are_ended(name: str, tmp_path: Path) -> None:
    server = FOREIGN[name]
    with foreign(server, tmp_path / "server.log") as url:
        for era in server.eras:
            # The first era has to be found, the other one is asked for.
            asked = "auto" if era == server.eras[0] else era
            with recorded(url) as proxy:
                plan = make_plan(proxy.url, "mcp", asked, think_time_s=(0.02, 0.03))
                found = measured(plan)
            assert (plan.era, plan.scenario) == (era, server.scenario)
            assert set(server.names) <= names(found)
            assert bool(proxy.opened()) is (server.has_sessions and era == "handshake")
            assert sorted(proxy.ended()) == sorted(proxy.opened())


@pytest.mark.parametrize("name", STDIO)
def test_a_server_over_stdio_is_loaded(name: str) -> None:
    server: Server = STDIO[name]
    plan = make_plan("", "mcp", "auto", think_time_s=(0.02, 0.03), stdio=server.command)
    assert plan.era == server.eras[0]
    found = measured(plan, STDIO_LOAD)
    assert set(server.names) <= names(found)
    assert found.generator.connections_opened == LOAD.users


def test_a_server_over_stdio_is_loaded_by_the_command(tmp_path: Path) -> None:
    result = loaded(tmp_path / "out", "--warm-up", "8", "--stdio", "--", *STDIO["choirbook"].command)
    assert result["target"]["url"].startswith("stdio:")


def loaded(out: Path, *arguments: str | Path) -> dict[str, Any]:
    """Load a server over MCP for a second by the command, and return the result file."""
    done = perf("test", *SHORT, "--protocol", "mcp", "--out", out, *arguments)
    assert (out / "result.json").exists(), done.stderr
    result: dict[str, Any] = json.loads((out / "result.json").read_bytes())
    assert not result["failures"], result["failures"]
    assert requests(result) > 10
    return result


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    def run(command: Any) -> None:
        subprocess.run(command, check=True, capture_output=True)

    return signed(tmp_path_factory.mktemp("tls"), run)


@pytest.fixture(params=["http", "https"])
def guarded(
    request: pytest.FixtureRequest, certificate: tuple[Path, Path], tmp_path: Path
) -> Iterator[tuple[str, tuple[str | Path, ...]]]:
    """Run a server that wants a token, with and without TLS; yields its URL and the options to trust it."""
    tls = map(str, certificate) if request.param == "https" else ()
    server = Server(module("tests.perf.foreign.guarded_server", TOKEN, *tls), ("modern",))
    with foreign(server, tmp_path / "server.log") as url:
        yield url, ("--ca", certificate[0]) if tls else ()


@pytest.mark.parametrize("generator", [(), ("--locust",)], ids=["engine", "locust"])
def test_a_server_that_wants_a_token_is_loaded_and_the_token_kept_nowhere(
    guarded: tuple[str, tuple[str | Path, ...]], generator: tuple[str, ...], tmp_path: Path
) -> None:
    url, trust = guarded
    headers = tmp_path / "headers"
    headers.write_text(f"Authorization: Bearer {TOKEN}\n")
    out = tmp_path / "out"
    # Locust's time begins before its users do.
    longer = ("--run-time", "3s") if generator else ()
    loaded(out, "--url", url, "--header-file", headers, *trust, *generator, *longer)
    kept = [path for path in out.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert kept == []


def test_a_token_that_is_missing_is_named(
    guarded: tuple[str, tuple[str | Path, ...]], tmp_path: Path
) -> None:
    url, trust = guarded
    done = perf("test", *SHORT, "--protocol", "mcp", "--url", url, *trust, "--out", tmp_path)
    assert done.returncode == 4
    assert "requires authorization with scheme Bearer" in done.stderr


def test_a_certificate_that_nobody_knows_is_refused_unless_that_is_wanted(
    certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    server = Server(module("tests.perf.foreign.guarded_server", TOKEN, *map(str, certificate)), ("modern",))
    with foreign(server, tmp_path / "server.log") as url:
        shared = ("--protocol", "mcp", "--url", url, "--header", f"Authorization: Bearer {TOKEN}")
        done = perf("test", *SHORT, *shared, "--out", tmp_path / "refused")
        assert done.returncode == 4
        assert "--ca" in done.stderr
        assert "--insecure" in done.stderr
        loaded(tmp_path / "out", *shared[2:], "--insecure")
