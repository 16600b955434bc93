"""Fixtures of all tests, and two rules for all of them: nothing blocks the loop, nothing is skipped in CI."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import watchfiles  # noqa: F401 - imported late by Choirbook, and multiprocessing with it, which asks for the directory
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, settings

from tests.support.apps import Served, serving
from tests.support.redis import RedisServer, running_redis
from tests.support.trees import plant, sdlc_tree

# A busy machine is slow, not wrong: no test fails for the time that an example took.
settings.register_profile(
    "choirbook",
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("choirbook")

IS_CI = os.environ.get("TESTS_CI") == "1"

UNTRACED = (
    "tests/benchmarks/",
    "tests/cli/test_plain_install.py",
    "tests/clients/matrix/",
    "tests/clients/test_python_sdk.py",
    "tests/clients/test_subscriptions.py",
    "tests/conformance/",
    "tests/dashboard/",
    "tests/deploy/",
    "tests/differential/",
    "tests/faults/",
    "tests/libraries/",
    "tests/mutants/",
    "tests/perf/foreign/",
    "tests/perf/truth/",
    "tests/servers/test_streams.py",
    "tests/servers/test_tracing.py",
)
"""Tests that start Choirbook many times, mostly for clients of others, without measuring its coverage.

Tracing doubles the CPU time of a start. `tests/cli`, `tests/servers` and `tests/clients/test_stdio.py` run
the same code in processes that are traced.
"""
_tracing: dict[str, str] = {}
"""The variables by which coverage reaches processes that a test starts, once a measurement has set them."""


class FailuresAtOnce:
    """Prints failures of a parallel run as they happen; xdist prints them at its end, if it comes to that."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and terminal is not None:
            terminal.write_line(f"\n{report.nodeid} failed at {report.when}:\n{report.longreprtext}")


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts background jobs with SIGINT ignored, which processes of the tests would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line(
        "markers",
        "long: another case of a promise that a shorter test also holds; only `task test:faults` runs it",
    )
    if IS_CI and config.getoption("dist", "no") != "no":
        config.pluginmanager.register(FailuresAtOnce(config))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Decide by the place of a test whether coverage traces the processes that it starts."""
    for name in ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"):
        if name in os.environ:
            _tracing[name] = os.environ.pop(name)
    if not item.nodeid.startswith(UNTRACED):
        os.environ.update(_tracing)


@pytest.fixture(autouse=True)
def no_blocking_call(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test in which Choirbook blocks the event loop; the test itself may block it."""
    if not asyncio.iscoroutinefunction(getattr(request.node, "obj", None)):
        yield
        return
    with blockbuster_ctx(scanned_modules=["choirbook"]) as watch:
        # The coverage measurement takes a lock of its own wherever a line is new to a thread.
        watch.functions["threading.Lock.acquire"].can_block_in("coverage/collector.py", "lock_data")
        yield


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Return the root of a small library in the SDLC layout."""
    return plant(tmp_path / "library", sdlc_tree())


@pytest.fixture
async def served(library: Path) -> AsyncIterator[Served]:
    """Serve `library` in this process."""
    async with serving(library) as app:
        yield app


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a Redis of the test's own."""
    with running_redis(tmp_path / "redis") as server:
        yield server


def _fail_if_skipped(report: Any) -> None:
    if IS_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, but in CI nothing is: {report.longrepr}"


def _make_portable(report: Any) -> None:
    """Spell out what is not UTF-8 in what a test printed or logged: xdist sends reports as UTF-8."""
    report.sections = [(name, _spelled(text)) for name, text in report.sections]
    if report.failed and (text := str(report.longrepr)) != _spelled(text):
        report.longrepr = _spelled(text)


def _spelled(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _fail_if_skipped(report)
    _make_portable(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_if_skipped(report)
    return report
