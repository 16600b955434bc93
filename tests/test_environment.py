"""Files of environment variables: what a line may be, and what is never done with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from choirbook.environment import read_env_file
from choirbook.errors import InvalidSettings


def read(tmp_path: Path, content: bytes) -> dict[str, str]:
    path = tmp_path / "settings.env"
    path.write_bytes(content)
    return read_env_file(path)


def test_lines_are_read_as_they_are_written(tmp_path: Path) -> None:
    content = (
        b"\xef\xbb\xbf# settings\n\nA=1\nexport B = two words # not this\nC='3 # 3'\nD=\r\nE=\"x\\ny\"\n"
    )
    assert read(tmp_path, content) == {"A": "1", "B": "two words", "C": "3 # 3", "D": "", "E": "x\ny"}


def test_a_variable_of_the_environment_is_never_put_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "sesame")
    content = b'A=${SECRET}\nB="$SECRET ${SECRET:-x}"\nC=${A}\nD=`id`\nE=$(id)\n'
    assert read(tmp_path, content) == {
        "A": "${SECRET}",
        "B": "$SECRET ${SECRET:-x}",
        "C": "${A}",
        "D": "`id`",
        "E": "$(id)",
    }


@pytest.mark.parametrize("line", [b"B", b"B 1", b"'B", b'B="1', b"=1", b"export B"])
def test_a_line_that_sets_nothing_is_refused_by_its_number_without_its_text(
    tmp_path: Path, line: bytes
) -> None:
    with pytest.raises(InvalidSettings, match=r"Line 2 of the environment file .*settings\.env") as caught:
        read(tmp_path, b"A=1\n" + line + b"\nC=sesame\n")
    assert "sesame" not in caught.value.message


def test_a_file_that_is_no_text_or_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"settings\.env is not UTF-8"):
        read(tmp_path, b"A=\xff\n")
    with pytest.raises(InvalidSettings, match="cannot be read"):
        read_env_file(tmp_path / "none.env")
