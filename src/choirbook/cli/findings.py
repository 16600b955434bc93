"""What `choirbook check` reports."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class FindingLevel(StrEnum):
    """How bad it is."""

    PROBLEM = "problem"
    """Something is not served as its author meant; `check` exits with 1."""
    WARNING = "warning"
    """It may well be meant so."""


class Finding(msgspec.Struct, frozen=True, omit_defaults=False):
    """One thing that `check` found."""

    kind: str
    """A problem is `collision`, `name`, `file`, `unreadable`, `empty`, `shadowed` or `rules-file`; a warning
    is `default` or `unmatched`."""
    path: str
    reason: str
    uri: str | None = None
    level: FindingLevel = FindingLevel.PROBLEM
