"""Findings of `choirbook check`."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class FindingLevel(StrEnum):
    """Severity of a finding."""

    PROBLEM = "problem"
    """Something is not served as its author intended; `check` exits with 1."""
    WARNING = "warning"
    """Possibly intended."""


class Finding(msgspec.Struct, frozen=True, omit_defaults=False):
    """One finding of `check`."""

    kind: str
    """A problem is `collision`, `name`, `file`, `unreadable`, `empty`, `shadowed` or `rules-file`; a warning
    is `default` or `unmatched`."""
    path: str
    reason: str
    uri: str | None = None
    level: FindingLevel = FindingLevel.PROBLEM
