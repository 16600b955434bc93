"""A class name says which class is meant: none is used twice in a package."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent.parent / "src"


@pytest.mark.parametrize("package", ["choirbook", "choirbook_perf"])
def test_no_class_name_is_used_twice(package: str) -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted((SOURCES / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path.relative_to(SOURCES)}:{node.lineno}")
    assert len(places) > 20, "the package was found"
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
