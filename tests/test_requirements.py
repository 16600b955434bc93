"""The manifest of requirements is whole: each row is in it and has a test, and each of these tests exists."""

import ast
import importlib
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from choirbook.mcp.revisions import SERVED
from tests.requirements.departures import DEPARTURES
from tests.requirements.manifest import REQUIREMENTS
from tests.requirements.rows import MUST, MUST_NOT, SHOULD, SHOULD_NOT, Departure, Requirement

TESTS = Path(__file__).parent
EVERY: list[Requirement | Departure] = [*REQUIREMENTS, *DEPARTURES]


@cache
def functions_of(path: str) -> frozenset[str]:
    """Return the test functions of a module, without running it."""
    file = TESTS / path
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text("utf-8"))
    functions = (node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(name for name in functions if name.startswith("test_"))


def named(requirement: Requirement) -> str:
    return f"{requirement.section}: {requirement.sentence}"


def rows() -> Iterator[Requirement]:
    """Yield the rows of all pages of all modules, whether the manifest has them or not."""
    for module in (TESTS / "requirements").glob("*.py"):
        for page in vars(importlib.import_module(f"tests.requirements.{module.stem}")).values():
            if isinstance(page, tuple):
                yield from (row for row in page if isinstance(row, Requirement))


def test_every_row_is_in_the_manifest() -> None:
    assert [named(row) for row in rows() if row not in REQUIREMENTS] == []


def test_every_requirement_has_a_test() -> None:
    assert [named(each) for each in REQUIREMENTS if not each.tests] == []


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=named)
def test_every_test_of_a_requirement_exists(requirement: Requirement) -> None:
    for test in requirement.tests:
        path, mark, function = test.partition("::")
        assert mark, f"{test} names no function"
        assert function in functions_of(path), f"there is no test {test}"


def test_no_requirement_is_there_twice() -> None:
    seen = Counter((each.revision, each.section, each.sentence) for each in EVERY)
    assert [row for row, count in seen.items() if count > 1] == []


def test_every_requirement_says_where_it_is_from() -> None:
    for each in EVERY:
        assert each.revision in SERVED
        assert re.fullmatch(r"(basic|server)/[\w/-]+#.*", each.section), each.section
        assert each.level in {MUST, MUST_NOT, SHOULD, SHOULD_NOT}
        assert each.sentence.endswith(".")


def test_every_departure_has_its_reason() -> None:
    assert [each.sentence for each in DEPARTURES if not each.reason.strip().endswith(".")] == []
