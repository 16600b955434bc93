"""Errors that end a `choirbook perf` command, and their exit codes.

::

    PerfError
    ├── GateFailed          1   a threshold was missed, or a regression found
    ├── BadInput            2   a flag, scenario, SLO file or result file cannot be used
    ├── Inconclusive        3   no verdict: too short or noisy, not measured, or the generator was too slow
    ├── ServerUnreachable   4   nothing answers at the URL, or not as a resource server
    ├── EmptyLibrary        5   the server has no resources to read
    ├── ToolMissing         6   py-spy, Locust, a browser or a permission is missing
    └── OutputFailed        7   a result or report cannot be written

A message says what was wrong, where, and what to do.
"""

from __future__ import annotations

from typing import ClassVar

EXIT_CODES = (
    "Exit codes: 0 passed or done; 1 a threshold was missed or a regression found; 2 bad input; 3 cannot "
    "tell: too short, too noisy, a required row not measured, or the load generator not fast enough; 4 "
    "server unreachable; 5 nothing to read; 6 a tool or permission is missing; 7 output cannot be written."
)
"""Shown below the help of each command."""


class PerfError(Exception):
    """Root of the tree."""

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class GateFailed(PerfError):
    """A threshold was missed, or a regression found."""

    exit_code = 1


class BadInput(PerfError):
    """A flag, scenario, SLO file or result file cannot be used."""

    exit_code = 2


class Inconclusive(PerfError):
    """There is no verdict: too short, too noisy, not measured, or the load generator was too slow."""

    exit_code = 3


class ServerUnreachable(PerfError):
    """Nothing answers at the URL, or what answers is not a resource server."""

    exit_code = 4


class EmptyLibrary(PerfError):
    """The server has no resources to read."""

    exit_code = 5


class ToolMissing(PerfError):
    """A tool or a permission is missing."""

    exit_code = 6


class OutputFailed(PerfError):
    """A result or report cannot be written."""

    exit_code = 7
