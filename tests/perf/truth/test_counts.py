"""Failures are counted exactly, and no request is sent twice: `choirbook perf test` beside the server's log.

Counts do not depend on how busy the machine is, so these tests run beside others.
"""

from __future__ import annotations

import pytest

from tests.perf.truth.accuracy import MCP, Case, closed_load, counts, open_load

_OPEN = open_load(2, rate=100)
_CLOSED = closed_load(2)


@pytest.mark.parametrize(
    "case",
    [
        Case("seven faults in turns", ("mixed",), _OPEN),
        Case("seven faults in turns, users", ("mixed",), _CLOSED),
        Case("seven faults in turns, MCP", ("mixed",), (*_OPEN, *MCP)),
        Case("drops every second connection", ("drop",), _OPEN),
        Case("hangs", ("hang", "from_s=3.5"), _OPEN),
        Case("ends itself by SIGKILL", ("kill", "from_s=3.5"), _OPEN),
    ],
    ids=lambda case: case.name,
)
def test_every_failure_is_counted_once(case: Case) -> None:
    made, seen = counts(case)
    assert made.truly_failed > 5
    assert made.is_exact(), f"{made}\n{seen.report.result and seen.report.result['failures']}"
    assert made.exit_code in {1, 3}, seen.report.stderr
