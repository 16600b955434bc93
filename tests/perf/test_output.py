from pathlib import Path

import pytest

from choirbook_perf.errors import OutputFailed
from choirbook_perf.output import write_text
from choirbook_perf.results import load, save
from tests.perf.sample_results import sample_result

KEPT = Path(__file__).resolve().parents[2] / "docs" / "performance"


def test_a_result_is_one_line_and_comes_back_whole(tmp_path: Path) -> None:
    save(sample_result(), tmp_path / "deep" / "result.json")
    assert (tmp_path / "deep" / "result.json").read_text().count("\n") == 1
    assert load(tmp_path / "deep" / "result.json") == sample_result()


@pytest.mark.parametrize("path", sorted(KEPT.glob("*.json")), ids=lambda path: path.name)
def test_a_kept_result_is_one_line(path: Path) -> None:
    assert path.read_bytes().count(b"\n") == 1


def test_what_cannot_be_written_leaves_nothing_and_is_said(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OutputFailed, match="Choose another path"):
        write_text(tmp_path / "taken", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
