"""Samples, areas and accepted survivors; the project's own files are read, too."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from tests.mutants.judging import Fate, Verdict
from tests.mutants.operators import Mutant, mutants
from tests.mutants.plan import read_accepted, read_areas, sample, stale
from tests.mutants.reporting import summary, survivor

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

SOURCE = "def f():\n" + "".join(f"    a{n}.close()\n    if b{n} < {n}:\n        return c\n" for n in range(9))
ENTRY = """
[[mutant]]
module = "m.py"
function = "f"
operator = "remove"
before = "a1.close()"
after = "pass"
reason = "Nobody notices."
"""


def found(source: str = SOURCE) -> list[Mutant]:
    return mutants("m.py", source.encode())


def names(chosen: list[Mutant]) -> set[str]:
    return {mutant.name for mutant in chosen}


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    chosen = sample(found(), 8, seed=1)
    assert chosen == sample(found(), 8, seed=1)
    assert len(chosen) == 8
    assert names(chosen) != names(sample(found(), 8, seed=2))


def test_a_sample_has_something_of_every_operator() -> None:
    counts = Counter(mutant.operator for mutant in sample(found(), 8, seed=1))
    assert set(counts) == {"remove", "boundary", "negate", "constant", "return"}
    assert max(counts.values()) == 2


def test_a_sample_does_not_change_with_edits_elsewhere() -> None:
    edited = f"# A comment.\n{SOURCE}    a99.close()\n"
    assert len(names(sample(found(), 8, seed=1)) & names(sample(found(edited), 8, seed=1))) >= 7


def test_a_larger_sample_contains_the_smaller_one() -> None:
    assert names(sample(found(), 4, seed=1)) < names(sample(found(), 9, seed=1))


def test_a_sample_of_more_than_there_are_is_all() -> None:
    assert len(sample(found(), 1000, seed=1)) == len(found())


def test_accepted_survivors_are_read_by_the_names_of_their_mutants() -> None:
    accepted = read_accepted(ENTRY.encode())
    assert [each.reason for each in accepted.values()] == ["Nobody notices."]
    assert set(accepted) <= names(found())
    assert stale(accepted.values(), found()) == []


def test_an_accepted_survivor_whose_code_has_changed_is_stale() -> None:
    (entry,) = read_accepted(ENTRY.encode()).values()
    assert stale([entry], found(SOURCE.replace("a1.close()", "a1.shut()"))) == [entry]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (ENTRY.replace("Nobody notices.", " "), "without a reason"),
        (ENTRY.replace('reason = "Nobody notices."', ""), "reason"),
        (ENTRY + ENTRY, "twice"),
        (ENTRY.replace("module", "modul"), "modul"),
    ],
)
def test_accepted_survivors_that_say_too_little_are_refused(text: str, complaint: str) -> None:
    with pytest.raises((ValueError, msgspec.ValidationError), match=complaint):
        read_accepted(text.encode())


def test_the_summary_counts_by_area_and_names_what_is_wrong() -> None:
    first, second, third, *_ = found()
    verdicts = {
        "one": [Verdict(first, Fate.KILLED), Verdict(second, Fate.TIMED_OUT)],
        "other": [Verdict(third, Fate.UNTESTED)],
    }
    (entry,) = read_accepted(ENTRY.encode()).values()
    text, is_good = summary(verdicts, [entry], [entry], 85)
    rows = [line.split() for line in text.splitlines()]
    assert ["one", "2", "2", "100", "%"] in rows
    assert ["other", "0", "1", "0", "%"] in rows
    assert ["all", "2", "3", "67", "%"] in rows
    assert "below the target of 85 %" in text
    assert "stale entry of accepted.toml: m.py" in text
    assert not is_good
    assert summary({"one": verdicts["one"]}, [], [], 100)[1]
    assert not summary({"one": verdicts["one"]}, [], [entry], 100)[1]


def test_a_survivor_is_shown_with_its_difference(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(SOURCE)
    shown = survivor(Verdict(found()[0], Fate.SURVIVED, tests=3, left_out=2), tmp_path)
    assert "survived: m.py:2 in f: remove (nth = 0, 3 tests, 2 slower ones left out)" in shown
    assert "-    a0.close()\n+    pass" in shown


def test_the_areas_of_the_project_name_files_that_there_are() -> None:
    areas = read_areas((HERE / "areas.toml").read_bytes())
    named = [name for area in areas.values() for name in (*area.modules, *area.tests)]
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_no_accepted_survivor_of_the_project_is_stale() -> None:
    entries = list(read_accepted((HERE / "accepted.toml").read_bytes()).values())
    modules = {entry.module for entry in entries}
    present = [each for module in modules for each in mutants(module, (ROOT / module).read_bytes())]
    assert stale(entries, present) == []
