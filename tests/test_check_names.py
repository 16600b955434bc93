"""The check for the product's former name finds it everywhere but where it is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.check_hygiene import ROOT
from scripts.check_names import ALLOWED, problems
from tests.support.trees import plant

FORMER = "car" + "rel"


@pytest.mark.parametrize(
    "text", [FORMER, FORMER.upper(), FORMER.title(), f"a_{FORMER}s", f"from {FORMER}.app import x"]
)
def test_the_name_is_found_in_any_case_and_within_words(tmp_path: Path, text: str) -> None:
    plant(tmp_path, {"docs/a.md": f"one\n\n  two {text}\n"})
    assert list(problems(tmp_path, ["docs/a.md"])) == [f"docs/a.md:3: the former name: two {text}"]


def test_paths_are_searched_too_and_binary_files_only_by_their_path(tmp_path: Path) -> None:
    plant(tmp_path, {f"src/{FORMER}/a.py": "", f"{FORMER}.png": b"\xff" + FORMER.encode(), "b.py": "x\n"})
    found = list(problems(tmp_path, [f"src/{FORMER}/a.py", f"{FORMER}.png", "b.py"]))
    assert found == [
        f"src/{FORMER}/a.py: the path has the former name",
        f"{FORMER}.png: the path has the former name",
    ]


def test_a_long_line_is_shown_around_the_find(tmp_path: Path) -> None:
    plant(tmp_path, {"result.json": "x" * 10_000 + FORMER + "y" * 10_000})
    (found,) = problems(tmp_path, ["result.json"])
    assert f"x{FORMER}y" in found
    assert len(found) < 200


def test_only_the_files_of_the_list_may_have_it(tmp_path: Path) -> None:
    plant(tmp_path, dict.fromkeys(ALLOWED, FORMER))
    assert list(problems(tmp_path, ALLOWED)) == []
    assert all((ROOT / name).is_file() and reason for name, reason in ALLOWED.items())
    plant(tmp_path, {"docs/CHANGELOG.md": FORMER})
    assert len(list(problems(tmp_path, ["docs/CHANGELOG.md"]))) == 1
