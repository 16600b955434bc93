"""Run tests in forked processes with everything but Choirbook imported, and leave no process behind.

The parent imports pytest and the slow third-party packages once, and never Choirbook or a test; it has a
single thread and no event loop. So a child starts as a fresh interpreter would, but three seconds earlier.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_WARM = (
    "pytest",
    "coverage",
    "httpx",
    "hypothesis",
    "msgspec",
    "h11",
    "redis.asyncio",
    "brotli",
    "zstandard",
)
_SLOW_PLUGINS = ("schemathesis", "cov")
"""Plugins of pytest that no test here asks for."""
_PR_SET_CHILD_SUBREAPER = 36
_MAX_BYTES = 12 << 30
"""A bug may make a list grow without end: the child fails before the machine swaps."""
_POLL_S = 0.02

TIMED_OUT = -1


def warm_up() -> None:
    """Import what children will need, and become the parent of whatever they leave running."""
    for name in _WARM:
        with suppress(ImportError):
            importlib.import_module(name)
    assert threading.active_count() == 1, "a child would inherit threads that do not run"
    assert "choirbook" not in sys.modules, "a child would have the modules without the bug"
    # So that the child is ended and the module restored when this process is told to stop.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def run(work: Callable[[], int], root: Path, log: Path, limit_s: float) -> int:
    """Do some work in a child whose directory is `root`, and return its exit status, or `TIMED_OUT`."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _become(work, root, log)
    try:
        return _waited(child, limit_s)
    finally:
        _end_descendants()


def pytest_main(arguments: list[str], plugin: object) -> int:
    """Run pytest in this process, which `run` has made."""
    import pytest

    quiet = ["-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    disabled = [word for name in _SLOW_PLUGINS for word in ("-p", f"no:{name}")]
    return int(pytest.main([*quiet, *disabled, "--hypothesis-seed=0", *arguments], plugins=[plugin]))


def _become(work: Callable[[], int], root: Path, log: Path) -> None:
    status = 70
    try:
        os.setsid()
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        resource.setrlimit(resource.RLIMIT_AS, (_MAX_BYTES, _MAX_BYTES))
        os.chdir(root)
        os.environ["PYTHONPATH"] = str(root / "src")  # for the servers that tests start
        here = ("", str(Path(__file__).resolve().parents[2]))
        sys.path[:] = [str(root / "src"), *(path for path in sys.path if path not in here)]
        for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
            del sys.modules[name]  # those of the copy are imported instead
        status = work()
    except BaseException:  # noqa: BLE001 - whatever it was, a child must not go on as its parent
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _waited(child: int, limit_s: float) -> int:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(_POLL_S)
    return TIMED_OUT


def _end_descendants() -> None:
    """Kill what the child started and left behind: as a subreaper, this process is its parent now."""
    while True:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split()
        if not children:
            return
        for pid in map(int, children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
