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


STANDARD = {
    "CapabilityMissing",
    "Coding",
    "ExtraMissing",
    "Finding",
    "Heading",
    "Holding",
    "Listing",
    "MetaMissing",
    "Pending",
    "Reading",
    "Sampling",
    "Streaming",
    "_Declaring",
    "_ErrorMapping",
    "decoding",
    "pending",
    "rendering",
    "sampling",
    "server_timing",
}
"""Names that end like an activity and are a term of the field, a thing, or a state."""


def test_no_module_and_no_class_is_named_after_an_activity() -> None:
    names: dict[str, str] = {}
    for path in sorted((SOURCES / "choirbook").rglob("*.py")):
        names[path.stem] = str(path.relative_to(SOURCES))
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                names[node.name] = f"{path.relative_to(SOURCES)}:{node.lineno}"
    found = {name: place for name, place in names.items() if name.endswith("ing") and name not in STANDARD}
    assert found == {}, "name it after what it is: a Scanner, not Surveying"
    assert names.keys() >= STANDARD, "no exception is left over"
