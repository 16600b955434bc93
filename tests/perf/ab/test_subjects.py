from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from choirbook_perf.ab.subjects import Launcher, prepared, serving
from choirbook_perf.errors import BadInput
from choirbook_perf.http_client import fetch
from choirbook_perf.targets import HttpTarget
from tests.perf.processes import REPOSITORY

CORES = tuple(os.sched_getaffinity(0))


def prepare(given: str, scratch: Path, serve: Sequence[str] = ()) -> Launcher:
    with prepared(given, "--old", serve, scratch) as launcher:
        return launcher


def test_a_url_is_taken_as_it_is(tmp_path: Path) -> None:
    launcher = prepare("http://127.0.0.1:8000", tmp_path)
    with serving(launcher, tmp_path / "log", CORES) as server:
        assert (server.url, server.pid) == ("http://127.0.0.1:8000", None)


def test_a_command_is_started_on_a_free_port_and_ended(tmp_path: Path) -> None:
    command = f"{sys.executable} -m http.server --bind 127.0.0.1 --directory '{tmp_path}' {{port}}"
    launcher = prepare(command, tmp_path)
    with serving(launcher, tmp_path / "log", CORES) as server:
        assert server.pid is not None
        assert os.sched_getaffinity(server.pid) == set(CORES)
        assert fetch(HttpTarget(server.url).read("/")).status == 200
        assert Path(f"/proc/{server.pid}").exists()
    assert not Path(f"/proc/{server.pid}").exists()


def test_a_checkout_runs_with_its_own_code_first(tmp_path: Path) -> None:
    launcher = prepare(str(REPOSITORY), tmp_path, ["serve", "--port", "{port}"])
    assert (launcher.given, launcher.name) == ("checkout", "the checkout")
    assert launcher.variables == {"PYTHONPATH": str(REPOSITORY / "src")}
    assert launcher.command[-3:] == ["serve", "--port", "{port}"]


def test_what_is_none_of_these_is_refused_with_all_of_them(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"--old 'no-such-branch' is no URL.*\{port\}"):
        prepare("no-such-branch", tmp_path)
    with pytest.raises(BadInput, match="Correct its quotes"):
        prepare("serve 'a --port {port}", tmp_path)


def test_a_command_that_ends_is_refused_with_its_last_words(tmp_path: Path) -> None:
    code = "import sys; sys.exit('no luck')"
    launcher = prepare(f'{sys.executable} -c "{code}" {{port}}', tmp_path)
    with pytest.raises(BadInput, match="no luck"), serving(launcher, tmp_path / "log", CORES):
        pass
    with (
        pytest.raises(BadInput, match="cannot be started"),
        serving(prepare("./no-such-program {port}", tmp_path), tmp_path / "log", CORES),
    ):
        pass
