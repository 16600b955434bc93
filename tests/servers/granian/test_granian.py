"""Private parts of Granian that are replaced, and the version that they were read in."""

from __future__ import annotations

import inspect
import re
import tomllib
from importlib import import_module
from importlib.metadata import version
from typing import Any

import pytest
from granian.server.mp import MPServer, WorkerProcess
from packaging.specifiers import SpecifierSet

from tests.support.servers import REPOSITORY

REVIEWED = "2.8.7"

REVIEW = f"""Granian is {version("granian")}; what Choirbook replaces of it was last read in {REVIEWED}.
Compare both versions of what is below, run tests/servers, tests/cli and the fault tests of stopping and
of killed workers, then change REVIEWED here and the pin in pyproject.toml.
- granian/server/common.py: startup, shutdown, _serve_loop, _stop_workers, _respawn_workers (respawned_wrks),
  AbstractWorker._watcher (interrupt_by_parent), signal_handler_interrupt: supervisor
- granian/server/mp.py: _spawn_rsgi_worker (in this order: set_loop_signals, callback_init, _new_cbscheduler),
  _init_shared_socket, _drop_shared_socket, _spawn_worker, WorkerProcess.terminate: supervisor
- granian/_signals.py: set_loop_signals, imported when a worker starts: worker_signals
- granian/_futures.py, CallbackScheduler: _schedule_fn, and the arguments of both: scheduler
- SocketHolder(fileno, uds, backlog): supervisor. WorkerSignal, with set(): worker_signals
- taskref, done, err, response_stream of RSGI: servers/rsgi/server
- the messages "Killing worker-N after ...": serve._is_true"""


def test_granian_is_the_version_whose_insides_were_read() -> None:
    assert version("granian") == REVIEWED, REVIEW


def test_no_version_with_other_insides_is_installed() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    (pin,) = [each for each in project["dependencies"] if each.startswith("granian")]
    allowed = SpecifierSet(pin.removeprefix("granian"))
    assert REVIEWED in allowed, REVIEW
    assert "2.9.0" not in allowed


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (MPServer, "_init_shared_socket"),
        (MPServer, "_drop_shared_socket"),
        (MPServer, "_spawn_worker"),
        (MPServer, "_respawn_workers"),
        (MPServer, "signal_handler_interrupt"),
        (WorkerProcess, "terminate"),
        (import_module("granian._signals"), "set_loop_signals"),
        (import_module("granian.server.mp"), "_new_cbscheduler"),
        (import_module("granian._granian"), "CallbackScheduler"),
        (import_module("granian._granian"), "SocketHolder"),
        (import_module("granian._granian"), "WorkerSignal"),
    ],
)
def test_what_is_replaced_or_called_is_there(owner: Any, name: str) -> None:
    assert callable(getattr(owner, name)), REVIEW


def test_a_worker_looks_up_what_is_replaced_when_it_starts() -> None:
    source = inspect.getsource(MPServer._spawn_rsgi_worker)  # noqa: SLF001 - it is what is looked at
    order = ["import set_loop_signals", "set_loop_signals(loop)", "callback_init(loop)", "_new_cbscheduler("]
    places = [source.find(each) for each in order]
    assert -1 not in places, REVIEW
    assert places == sorted(places), REVIEW


def test_the_review_names_every_module_that_knows_insides() -> None:
    modules = (REPOSITORY / "src" / "choirbook").rglob("*.py")
    knowing = {
        module.stem
        for module in modules
        if re.search(r"(?<!servers\.)granian\.(_|server\b)", module.read_text("utf-8"))
    }
    assert knowing
    assert {name for name in knowing if f": {name}" not in REVIEW} == set()
