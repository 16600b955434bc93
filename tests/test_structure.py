"""`scripts/structure`: names, levels and cycles of small planted trees."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.structure import ROOT, Structure, main, measure, package_of
from tests.support.trees import plant

Plant = Callable[[dict[str, str]], Structure]


@pytest.fixture
def planted(tmp_path: Path) -> Plant:
    def plant_and_measure(modules: dict[str, str]) -> Structure:
        files = {f"src/acme_books/{name}": text for name, text in modules.items()}
        plant(tmp_path, {"pyproject.toml": '[project]\nname = "Acme-Books"\n'} | files)
        return measure(tmp_path, package_of(tmp_path))

    return plant_and_measure


def test_the_package_is_the_one_that_pyproject_names(planted: Plant) -> None:
    assert planted({"a.py": ""}).package == "acme_books"
    assert package_of(ROOT) in {path.name for path in (ROOT / "src").iterdir()}


def test_names_are_modules_and_directories_directly_under_the_package(planted: Plant) -> None:
    found = planted(
        {
            "__init__.py": "",
            "__main__.py": "from acme_books.b import c",
            "py.typed": "",
            "a.py": "",
            "b/__init__.py": "",
            "b/c.py": "",
            "starter/core.md": "",
            "__pycache__/a.cpython-311.pyc": "",
        }
    )
    assert found.names == ["a", "b", "starter"]
    assert found.levels == [["a", "b"]]


def test_a_level_is_the_longest_chain_of_imports(planted: Plant) -> None:
    found = planted(
        {
            "app.py": "import acme_books.low\nfrom acme_books.middle.deep import thing",
            "middle/__init__.py": "",
            "middle/deep.py": "from ..low import x\nfrom . import other\nimport json",
            "middle/other.py": "",
            "low.py": "import os",
        }
    )
    assert found.levels == [["low"], ["middle"], ["app"]]
    assert found.longest == ["app", "middle", "low"]
    assert (found.name_cycles, found.module_cycles) == ([], [])


@pytest.mark.parametrize(
    "late",
    [
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from acme_books.app import App",
        "def late():\n    import acme_books.app as app\n    return app",
        "from . import app",
        "from .app import App as Other",
        "from acme_books import App",
    ],
    ids=["TYPE_CHECKING", "in a function", "relative module", "relative member", "re-exported"],
)
def test_every_kind_of_import_closes_a_cycle(planted: Plant, late: str) -> None:
    found = planted(
        {
            "__init__.py": "from acme_books.app import App",
            "app.py": "from acme_books.middle import x",
            "middle.py": "from acme_books.low import y",
            "low.py": late,
            "below.py": "",
        }
    )
    assert found.name_cycles == [["app", "middle", "low"]]
    assert found.module_cycles == [["acme_books.app", "acme_books.middle", "acme_books.low"]]
    assert found.levels == [["app", "below", "low", "middle"]]


def test_every_import_of_a_cycle_is_in_a_cycle_that_is_listed(planted: Plant) -> None:
    found = planted(
        {
            "a.py": "from acme_books import b, c",
            "b.py": "from acme_books import a",
            "c.py": "from acme_books import d",
            "d.py": "from acme_books import a, e",
            "e.py": "",
        }
    )
    assert found.name_cycles == [["a", "b"], ["a", "c", "d"]]


def test_packages_may_be_in_a_cycle_where_no_modules_are_and_the_other_way_round(planted: Plant) -> None:
    two_way = {
        "a/x.py": "from acme_books.b import y",
        "b/y.py": "",
        "b/z.py": "from acme_books.a import w",
        "a/w.py": "",
    }
    found = planted(two_way)
    assert (found.name_cycles, found.module_cycles) == ([["a", "b"]], [])
    inside = {"b/z.py": "from acme_books.b import y", "b/y.py": "from . import z"}
    found = planted(inside)
    assert (found.name_cycles, found.module_cycles) == ([], [["acme_books.b.y", "acme_books.b.z"]])


def test_a_constant_of_the_package_is_no_import_of_what_it_re_exports(planted: Plant) -> None:
    found = planted(
        {
            "__init__.py": "__version__ = '1'\nfrom acme_books.app import App",
            "app.py": "from acme_books import __version__",
        }
    )
    assert found.module_cycles == []


def test_limits_decide_the_exit_status(
    planted: Plant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planted({"a.py": "from acme_books import b", "b.py": "from acme_books import a", "c.py": ""})
    tree = str(tmp_path)
    assert main([tree]) == 0
    assert main([tree, "--max-names", "3", "--max-levels", "1", "--max-cycles", "1"]) == 0
    capsys.readouterr()
    assert main([tree, "--brief", "--max-names", "2", "--max-levels", "0", "--max-cycles", "0"]) == 1
    said = capsys.readouterr()
    assert said.out == "src/acme_books: 3 names, 1 levels, 1 cycles of names, 1 cycles of modules\n"
    assert said.err.splitlines() == [
        "src/acme_books has 3 names, at most 2",
        "src/acme_books has 1 levels, at most 0",
        "src/acme_books has 1 cycles of names, at most 0",
        "src/acme_books has 1 cycles of modules, at most 0",
    ]


def test_figures_are_there_for_programs_too(
    planted: Plant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planted({"a.py": "from acme_books import b", "b.py": ""})
    assert main([str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "package": "acme_books",
        "names": ["a", "b"],
        "levels": [["b"], ["a"]],
        "longest": ["a", "b"],
        "name_cycles": [],
        "module_cycles": [],
    }


@pytest.mark.parametrize("arguments", [[], ["--package", "other"]])
def test_what_is_no_checkout_is_refused(
    tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    if arguments:
        plant(tmp_path, {"pyproject.toml": "[project]\nname = 'a'\n"})
    with pytest.raises(SystemExit):
        main([str(tmp_path), *arguments])
    assert "has no p" in capsys.readouterr().err
