"""Run the matrix, keep what came of it, and make its page; `task clients` does it."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.clients.matrix.cells import CONVERSATIONS, HERE
from tests.clients.matrix.page import KEPT, PAGE, Run, load, render, spell
from tests.support.servers import REPOSITORY


class Recorder:
    """A plugin of pytest that takes note of the cells."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of a cell that is as it has to be."""
        properties: dict[str, Any] = dict(report.user_properties)
        if report.when == "call" and report.passed and "operation" in properties:
            name, seen = properties["conversation"], properties["seen"] or {}
            before = self.runs.get(name, Run([]))
            self.runs[name] = Run(
                [*before.operations, properties["operation"]],
                seen.get("version", before.version),
                seen.get("revision", before.revision),
            )


def main() -> int:
    """Return the exit status of pytest; only a run without a failure is kept."""
    recorder = Recorder()
    status = pytest.main([str(REPOSITORY / HERE / "test_matrix.py"), "-q"], plugins=[recorder])
    if status != pytest.ExitCode.OK:
        print("Nothing was kept: not all cells are as they have to be.")
        return int(status)
    KEPT.write_text(spell({str(each): recorder.runs[str(each)] for each in CONVERSATIONS}), "utf-8")
    PAGE.write_text(render(load(KEPT)), "utf-8")
    print(f"Wrote {KEPT} and {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
