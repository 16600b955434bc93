from choirbook.cache.etags import ETags
from choirbook.model import Form, ResourceInfo, Version

RAW, JSON = Form.RAW, Form.JSON


def info(uri: str, version: str = "1", type_: str = "file") -> ResourceInfo:
    return ResourceInfo(uri, uri, "path", "name", "Title", "", type_, "text/plain", 1, 0, Version(version))


def remembering(*infos: ResourceInfo) -> ETags:
    known = ETags()
    for each in infos:
        known.remember(each, RAW, f'"{each.uri}"')
    return known


def test_a_tag_is_of_one_form_of_one_version() -> None:
    known = remembering(info("a"))
    assert known.get(info("a"), RAW) == '"a"'
    assert known.get(info("a"), JSON) is None
    assert known.get(info("a", "2"), RAW) is None
    assert known.get(info("b"), RAW) is None


def test_the_first_tag_of_a_new_version_puts_the_old_ones_out() -> None:
    known = remembering(info("a"))
    known.remember(info("a", "2"), JSON, '"2"')
    assert known.get(info("a"), RAW) is None
    assert known.get(info("a", "2"), RAW) is None
    assert known.get(info("a", "2"), JSON) == '"2"'


def test_tags_are_forgotten_by_uri_by_type_and_all() -> None:
    guide, file = info("a", type_="guide"), info("b")
    known = remembering(guide, file)
    known.forget("b")
    known.forget("never")
    assert (known.get(guide, RAW), known.get(file, RAW)) == ('"a"', None)
    known = remembering(guide, file)
    known.forget_type("guide")
    assert (known.get(guide, RAW), known.get(file, RAW)) == (None, '"b"')
    known.forget_type(None)
    assert known.get(file, RAW) is None


def test_there_are_no_tags_while_they_are_suspended() -> None:
    known = remembering(info("a"))
    known.suspend(is_suspended=True)
    known.remember(info("a"), RAW, '"a"')
    assert known.get(info("a"), RAW) is None
    known.suspend(is_suspended=False)
    known.remember(info("a"), RAW, '"a"')
    assert known.get(info("a"), RAW) == '"a"'
