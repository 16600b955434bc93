"""docs/settings.md shows every setting, as `Settings` and the command line declare it."""

import pytest

from choirbook.settings import Settings
from scripts.settings_page import GROUPS, PAGE, descriptions, flags, page

FIELDS = Settings.__struct_fields__

ONLY_FLAGS = {"config", "env_file"}
"""They name the files that settings come from."""


def test_the_page_is_made_of_what_is_declared() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "make it again with: task docs:settings"


@pytest.mark.parametrize("field", FIELDS)
def test_every_setting_has_a_description_and_one_row(field: str) -> None:
    assert descriptions().get(field, "").endswith(".")
    assert page().count(f"\n| `{field}` |") == 1


def test_every_flag_of_serve_belongs_to_a_setting() -> None:
    assert set(flags()) - ONLY_FLAGS <= set(FIELDS)
    assert flags()["redis_url"] == "`--redis`"
    assert flags()["access_log"] == "`--no-access-log`"


def test_every_heading_stands_before_a_setting() -> None:
    assert set(GROUPS) <= set(FIELDS)
    assert next(iter(GROUPS)) == FIELDS[0]
