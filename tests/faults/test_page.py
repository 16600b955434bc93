"""The page on reliability says what was kept, and names tests that are there."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.faults.figures import IS_WHOLE, ROOT, Figures, read_all
from tests.faults.page import PAGE, TEMPLATE, Kept, load, merged, render


def figure(directory: Path, promise: int = 4) -> None:
    Figures("tests/a.py::test_b", directory).tell(promise, "a fault", "failed", 3, "reads", 5)


def kept(directory: Path) -> Kept:
    return msgspec.structs.replace(load(), figures=read_all(directory))


def test_page_is_what_the_kept_figures_make() -> None:
    assert PAGE.read_text("utf-8") == render(TEMPLATE.read_text("utf-8"), load())


def test_every_test_that_the_page_names_exists() -> None:
    named = re.findall(r"\[`(test_\w+)[^`]*`\]\(\.\./([\w/.]+)\)", PAGE.read_text("utf-8"))
    assert named
    for name, file in named:
        functions = [
            node.name
            for node in ast.walk(ast.parse((ROOT / file).read_text("utf-8")))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        assert name in functions, f"{file} has no {name}"


def test_every_figure_that_was_kept_is_within_its_promise() -> None:
    broken = [each for each in load().figures if each.at_most is not None and each.seen > each.at_most]
    assert broken == []


def test_figure_becomes_a_row_of_its_promise(tmp_path: Path) -> None:
    figure(tmp_path)

    page = render("# A\n\n{{ promise 4 }}\n", kept(tmp_path))

    fault = "a fault" if IS_WHOLE else "a fault (short run)"
    assert f"| {fault} | failed | 3 reads | 5 reads | [`test_b`](../tests/a.py) |" in page


def test_promise_that_the_template_leaves_out_is_an_error(tmp_path: Path) -> None:
    figure(tmp_path)
    figure_of_another = Figures("tests/a.py::test_c", tmp_path)
    figure_of_another.tell(9, "another", "failed", 1, "reads")

    with pytest.raises(ValueError, match=r"no table for promises \[9\]"):
        render("{{ promise 4 }}\n", kept(tmp_path))


def test_table_without_figures_is_an_error(tmp_path: Path) -> None:
    figure(tmp_path)
    with pytest.raises(ValueError, match="no test told a figure"):
        render("{{ promise 4 }}\n\n{{ promise 5 }}\n", kept(tmp_path))


def test_figure_that_breaks_a_promise_fails_its_test_and_is_kept(tmp_path: Path) -> None:
    figures = Figures("tests/a.py::test_b", tmp_path)
    with pytest.raises(AssertionError, match="promise 7, a fault: lost: 3 requests > 2"):
        figures.hold(7, "a fault", "lost", 3, "requests", at_most=2)

    assert [each.seen for each in read_all(tmp_path)] == [3]


def test_new_figures_of_a_test_replace_its_old_ones_and_no_others(tmp_path: Path) -> None:
    figure(tmp_path / "new", promise=5)
    figure(tmp_path / "old")
    Figures("tests/a.py::test_c", tmp_path / "old").tell(4, "another", "failed", 1, "reads")

    found = merged(read_all(tmp_path / "old"), read_all(tmp_path / "new"))

    assert [(each.test, each.promise) for each in found] == [
        ("tests/a.py::test_c", 4),
        ("tests/a.py::test_b", 5),
    ]


def test_every_promise_has_a_test_in_the_short_set() -> None:
    """CI leaves tests marked `long` to `task test:faults`: no promise may depend on those alone."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "not long", "tests/faults"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    short = {line for line in found.stdout.splitlines() if "::" in line}
    tests: dict[int, set[str]] = {}
    for each in load().figures:
        tests.setdefault(each.promise, set()).add(each.test)

    assert short
    assert [promise for promise, of_promise in sorted(tests.items()) if not of_promise & short] == []
