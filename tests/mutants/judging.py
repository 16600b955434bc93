"""Run the tests of one mutant, and say what became of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec
import pytest

from tests.mutants.children import TIMED_OUT, pytest_main, run
from tests.mutants.operators import Mutant, users
from tests.mutants.recording import Recordings
from tests.mutants.tree import Tree

_PATIENCE = 4
_GRACE_S = float(os.environ.get("CHOIRBOOK_MUTANTS_GRACE_S", "20"))
"""Added to a multiple of the recorded time, before a mutant's tests are given up."""
_DOUBT_S = 0.3
"""A test that takes longer waits for servers or times, and may fail for a busy machine instead of the bug."""

_PASSED, _FAILED, _INTERRUPTED, _USAGE = 0, 1, 2, 4


class Fate(StrEnum):
    """Result of a mutant."""

    KILLED = "killed"
    TIMED_OUT = "timed out"
    SURVIVED = "survived"
    UNTESTED = "untested"

    @property
    def is_noticed(self) -> bool:
        """Say whether the tests noticed the bug."""
        return self in (Fate.KILLED, Fate.TIMED_OUT)


class Verdict(msgspec.Struct, frozen=True):
    """Result of a mutant, the test that noticed it, and how many were run for it or left out."""

    mutant: Mutant
    fate: Fate
    by: str = ""
    tests: int = 0
    left_out: int = 0


class Judge:
    """Plants mutants in a copy of the checkout, one at a time.

    Args:
        tree: The copy.
        recordings: Which tests execute what.
        cache: Where the output of tests goes.
        budget_s: Recorded time of the tests of one mutant; the slow ones beyond it are left out.
    """

    def __init__(self, tree: Tree, recordings: Recordings, cache: Path, budget_s: float) -> None:
        self._budget_s = budget_s
        self._tree = tree
        self._recordings = recordings
        self._log = cache / f"{tree.root.name}.log"
        self._killer = cache / f"{tree.root.name}.killer"

    def judge(self, mutant: Mutant) -> Verdict:
        """Run the tests that execute a mutant's function until one fails."""
        source = (self._tree.root / mutant.module).read_bytes()
        tests, left_out = candidates(self._recordings, mutant, users(source, mutant.line), self._budget_s)
        if not tests:
            return Verdict(mutant, Fate.UNTESTED)
        planted = mutant.plant(source)
        compile(planted, mutant.module, "exec")
        with self._tree.planted(mutant.module, planted):
            status = self._run(tests)
        killer = self._killer.read_text("utf-8") if self._killer.exists() else ""
        if status == TIMED_OUT:
            return Verdict(mutant, Fate.TIMED_OUT, "", len(tests), left_out)
        if status == _PASSED or self._fails_anyway(killer):
            return Verdict(mutant, Fate.SURVIVED, "", len(tests), left_out)
        return Verdict(mutant, Fate.KILLED, killer or f"status {status}", len(tests), left_out)

    def _fails_anyway(self, killer: str) -> bool:
        """Say whether a slow test fails without the bug, too."""
        recorded = self._recordings.by_file.get(killer.partition("::")[0])
        if recorded is None or recorded.seconds.get(killer, 0.0) < _DOUBT_S:
            return False
        return self._run([killer]) != _PASSED

    def _run(self, tests: Sequence[str]) -> int:
        self._killer.unlink(missing_ok=True)
        shutil.rmtree(self._tree.root / ".hypothesis", ignore_errors=True)
        seconds = sum(self._seconds(test) for test in tests)
        files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        selection = Selection(tests, self._killer)
        limit_s = _PATIENCE * seconds + _GRACE_S
        return run(lambda: pytest_main(["-x", *files], selection), self._tree.root, self._log, limit_s)

    def _seconds(self, test: str) -> float:
        return self._recordings.by_file[test.partition("::")[0]].seconds[test]


def candidates(
    recordings: Recordings, mutant: Mutant, users_of_constant: Iterable[str], budget_s: float
) -> tuple[list[str], int]:
    """Return the tests to run for a mutant, quick files first, and how many were left out for their time.

    A constant of the module is tested by what executes the functions that use it.
    """
    concerned = [mutant.function] if mutant.function else [*users_of_constant] or [""]
    ranked: list[tuple[bool, bool, float, str, float, str]] = []
    for file, recorded in recordings.by_file.items():
        inside = recorded.functions.get(mutant.module, {})
        outside = {name: [*recorded.seconds] for name in recorded.elsewhere.get(mutant.module, ())}
        tests = set[str]().union(*(executing(inside, function) for function in concerned))
        tests = tests or set[str]().union(*(executing(outside, function) for function in concerned))
        mean = sum(recorded.seconds[test] for test in tests) / (len(tests) or 1)
        is_own = Path(mutant.module).stem in file
        is_slow = mean > 1
        ranked += [(not is_own, is_slow, mean, file, recorded.seconds[test], test) for test in tests]
    chosen: list[tuple[bool, bool, float, str, float, str]] = []
    spent_s = 0.0
    # The module's own tests are the likeliest to notice, so they have the budget first.
    for each in sorted(ranked):
        if spent_s + each[4] <= budget_s or not chosen:
            spent_s += each[4]
            chosen.append(each)
    quick_first = sorted(chosen, key=lambda each: (each[1] or each[0], *each))
    return [test for *_, test in quick_first], len(ranked) - len(chosen)


def executing(tests: dict[str, list[str]], function: str) -> set[str]:
    """Return the tests of a file that execute a function, or any of a class's or of a module's."""
    if function in tests:
        return set(tests[function])
    within = f"{function}." if function else ""
    return {test for name, of in tests.items() if name.startswith(within) for test in of}


class Selection:
    """A plugin of pytest: runs some tests only, in the order given, and notes the one that failed."""

    def __init__(self, tests: Sequence[str], killer: Path) -> None:
        self._order = {test: number for number, test in enumerate(tests)}
        self._killer = killer

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the chosen tests."""
        chosen = [item for item in items if item.nodeid in self._order]
        items[:] = sorted(chosen, key=lambda item: self._order[item.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that failed."""
        if report.failed:
            self._killer.write_text(report.nodeid, "utf-8")
