"""Values: a sentence of the specification, with the tests that hold it or the reason why it is not met."""

from typing import NamedTuple

MUST, MUST_NOT, SHOULD, SHOULD_NOT = "MUST", "MUST NOT", "SHOULD", "SHOULD NOT"

MODERN = "2026-07-28"
HANDSHAKE = "2025-11-25"
FIRST = "2025-03-26"
"""The first revision that is served; it alone has batches."""


class Requirement(NamedTuple):
    """One sentence of the specification."""

    revision: str
    section: str
    """Page, and heading behind `#`."""
    level: str
    sentence: str
    tests: tuple[str, ...]


class Departure(NamedTuple):
    """A requirement that is not met on purpose."""

    revision: str
    section: str
    level: str
    sentence: str
    reason: str


class Row(NamedTuple):
    """A requirement without the page that it is on."""

    heading: str
    level: str
    sentence: str
    tests: tuple[str, ...]


def row(heading: str, level: str, sentence: str, *tests: str) -> Row:
    return Row(heading, level, sentence, tests)


def page(revision: str, name: str, *rows: Row) -> tuple[Requirement, ...]:
    """Make the requirements of one page under `docs/specification/<revision>/`."""
    return tuple(
        Requirement(revision, f"{name}#{each.heading}", each.level, each.sentence, each.tests)
        for each in rows
    )
