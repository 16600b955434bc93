"""Record which tests execute which functions, once for each test file, and keep that under `.cache`.

Functions rather than lines: a recording stays valid when lines move. What the processes started by tests
execute is known by file only.
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import coverage
import msgspec
import pytest

from tests.mutants.children import pytest_main, run
from tests.mutants.operators import functions

_LIMIT_S = 900.0

_CONFIG = """\
[run]
data_file = {data}
context = {context}
parallel = true
include = {include}
patch = subprocess, _exit
sigterm = true
disable_warnings = module-not-imported, no-data-collected
"""


class Recorded(msgspec.Struct, frozen=True):
    """Functions that the tests of one file execute.

    `seconds` has each test that passed; `functions`, by module and qualified name, the tests that execute it;
    `elsewhere`, by module, the functions that only processes started by the tests execute.
    """

    digest: str
    seconds: dict[str, float]
    functions: dict[str, dict[str, list[str]]]
    elsewhere: dict[str, list[str]]


class Recordings:
    """All recordings, of which those are made anew whose test file has changed."""

    def __init__(self, root: Path, cache: Path, modules: Iterable[str]) -> None:
        self._root = root
        self._modules = sorted(set(modules))
        self._cache = cache / "recorded"
        self._cache.mkdir(parents=True, exist_ok=True)
        self.by_file: dict[str, Recorded] = {}

    def missing(self, files: Iterable[str]) -> list[str]:
        """Load what is there for some test files, and return those that have to be recorded."""
        return [file for file in files if not self._load(file)]

    def _load(self, file: str) -> bool:
        kept = self._path(file)
        if not kept.exists():
            return False
        recorded = msgspec.json.decode(kept.read_bytes(), type=Recorded)
        if recorded.digest == self._digest(file):
            self.by_file[file] = recorded
        return file in self.by_file

    def record(self, file: str, tree: Path) -> int:
        """Run the tests of a file in a copy of the checkout, and keep what they executed."""
        data, log = (self._cache / f"{kind}-{tree.name}" for kind in ("data", "log"))
        data.mkdir(exist_ok=True)
        for old in data.iterdir():
            old.unlink()
        config = data / "config.ini"
        include = "".join(f"\n    {tree / module}" for module in self._modules)
        config.write_text(_CONFIG.format(data=data / "coverage", context=file, include=include), "utf-8")
        status = run(lambda: _measured(file, config, data / "seconds"), tree, log, _LIMIT_S)
        seconds = data / "seconds"
        passed: dict[str, float] = msgspec.json.decode(seconds.read_bytes()) if seconds.exists() else {}
        recorded = _condensed(self._digest(file), passed, data, tree)
        self._path(file).write_bytes(msgspec.json.encode(recorded))
        self.by_file[file] = recorded
        return status

    def _digest(self, file: str) -> str:
        text = (self._root / file).read_bytes() + "\0".join(self._modules).encode()
        return hashlib.sha256(text).hexdigest()

    def _path(self, file: str) -> Path:
        return self._cache / f"{file.removesuffix('.py').replace('/', '.')}.json"


def test_files(root: Path, tests: Iterable[str]) -> list[str]:
    """Return the test files that some paths stand for."""
    found: set[str] = set()
    for name in tests:
        path = root / name
        found |= (
            {name} if path.is_file() else {str(each.relative_to(root)) for each in path.rglob("test_*.py")}
        )
    return sorted(found)


class _Clock:
    """A plugin of pytest: gives each test a context of its own, and notes how long those took that passed."""

    def __init__(self, measurement: coverage.Coverage) -> None:
        self._measurement = measurement
        self.seconds: dict[str, float] = {}
        self._failed: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._measurement.switch_context(item.nodeid)
        started = time.monotonic()
        try:
            return (yield)
        finally:
            if item.nodeid not in self._failed:
                self.seconds[item.nodeid] = round(time.monotonic() - started, 3)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.passed:
            self._failed.add(report.nodeid)


def _measured(file: str, config: Path, seconds: Path) -> int:
    measurement = coverage.Coverage(config_file=str(config))
    clock = _Clock(measurement)
    measurement.start()
    try:
        return pytest_main(["--timeout=60", file], clock)
    finally:
        measurement.stop()
        measurement.save()
        seconds.write_bytes(msgspec.json.encode(clock.seconds))


def _condensed(digest: str, seconds: dict[str, float], data: Path, tree: Path) -> Recorded:
    tests: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    elsewhere: dict[str, set[str]] = defaultdict(set)
    for module, function, context in _executed(data, tree):
        _, _, test = context.partition("|")
        if not test:
            elsewhere[module].add(function)
        elif test in seconds:
            tests[module][function].add(test)
    by_module = {
        module: {function: sorted(names) for function, names in of.items()} for module, of in tests.items()
    }
    return Recorded(
        digest, seconds, by_module, {module: sorted(names) for module, names in elsewhere.items()}
    )


def _executed(data: Path, tree: Path) -> Iterator[tuple[str, str, str]]:
    """Yield module, function and context for whatever was executed."""
    bodies: dict[str, dict[str, range]] = {}
    for file in data.glob("coverage*"):
        measured = coverage.CoverageData(str(file))
        measured.read()
        for name in measured.measured_files():
            if not (path := Path(name)).is_relative_to(tree):
                continue
            if name not in bodies:
                bodies[name] = functions(path.read_bytes())
            contexts = measured.contexts_by_lineno(name)
            for function, lines in bodies[name].items():
                for context in {each for line in lines for each in contexts.get(line, ())}:
                    yield str(path.relative_to(tree)), function, context
