"""Tags of several forms of one document are known at once."""

from choirbook.cache.etags import ETags
from choirbook.model import Form, ResourceInfo, Version


def info(version: str) -> ResourceInfo:
    return ResourceInfo("a", "a", "path", "name", "Title", "", "file", "text/plain", 1, 0, Version(version))


def test_a_tag_of_another_form_of_the_same_version_keeps_the_first() -> None:
    tags = ETags()
    tags.remember(info("1"), Form.RAW, "raw")
    tags.remember(info("1"), Form.JSON, "json")
    assert [tags.get(info("1"), form) for form in (Form.RAW, Form.JSON)] == ["raw", "json"]
    tags.remember(info("2"), Form.JSON, "new")
    assert [tags.get(info("2"), form) for form in (Form.RAW, Form.JSON)] == [None, "new"]
    assert tags.get(info("1"), Form.JSON) is None
