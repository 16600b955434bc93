"""Servers of the official Go SDK, mcp-go and rmcp: probed, loaded, and left without a session open."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.peers.builds import SOURCES, build, command_of
from choirbook_perf.planner import make_plan
from tests.perf.foreign.recording_proxy import recorded
from tests.perf.foreign.servers import Foreign, foreign, free_port
from tests.perf.foreign.test_matrix import measured

SESSIONS = pytest.mark.parametrize("sessions", [False, True], ids=["stateless", "sessions"])


@SESSIONS
@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("era", ["auto", "handshake"])
@pytest.mark.timeout(900)  # for a build
def test_a_built_server_is_loaded_and_its_sessions_are_ended(
    name: str, era: str, *, sessions: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(name)
    for variable, value in SOURCES[name].variables.items():
        monkeypatch.setitem(os.environ, variable, value)
    document = tmp_path / "doc.md"
    document.write_text("# A document\n" * 100)
    port = free_port()
    server = Foreign(tuple(command_of(name, port, [document], sessions=sessions)), ())
    with foreign(server, tmp_path / "server.log", port) as url, recorded(url) as proxy:
        plan = make_plan(proxy.url, "mcp", era, think_time_s=(0.02, 0.03))
        measured(plan)
    if era == "handshake":
        assert bool(proxy.opened()) is sessions
    assert sorted(proxy.ended()) == sorted(proxy.opened())
