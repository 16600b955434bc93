import sqlite3
from pathlib import Path

import pytest

from choirbook.errors import InvalidSettings
from choirbook.usage.reports import open_to_read
from choirbook.usage.schema import NotAUsageFile, require_place
from choirbook.usage.store import UsageStore


def test_databases_of_others_are_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as foreign:
        foreign.execute("create table theirs (x)")
    foreign.close()
    before = path.read_bytes()
    for use in (UsageStore, open_to_read):
        with pytest.raises(NotAUsageFile, match="another program's"):
            use(path)
    assert path.read_bytes() == before


def test_what_is_no_database_is_left_alone(path: Path) -> None:
    path.write_text("uri,reads\n" * 200)
    for use in (UsageStore, open_to_read):
        with pytest.raises(sqlite3.DatabaseError):
            use(path)
    assert path.read_text() == "uri,reads\n" * 200


def test_a_file_of_a_later_version_is_left_alone(path: Path) -> None:
    UsageStore(path).close()
    with sqlite3.connect(path) as later:
        later.execute("pragma user_version = 99")
    later.close()
    with pytest.raises(NotAUsageFile, match="later version"):
        UsageStore(path)


def test_a_place_that_cannot_be_is_refused(tmp_path: Path) -> None:
    require_place(None)
    require_place(tmp_path / "usage.sqlite")
    with pytest.raises(InvalidSettings, match="is a directory"):
        require_place(tmp_path)
    with pytest.raises(InvalidSettings, match="does not exist"):
        require_place(tmp_path / "none" / "usage.sqlite")
