import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.documents.sections.outline import Outline
from choirbook.documents.sections.parser import outline_of
from choirbook.documents.sections.section_uris import (
    MAX_NAMED,
    Address,
    cut,
    section_info,
    section_uri,
    split_section,
)
from choirbook.errors import InvalidUri, SectionNotFound
from choirbook.model import Content, ResourceInfo, SourceEntry, Version
from choirbook.uri import MAX_URI_BYTES

URI = "mcp://resources/files/a"
ALIAS = "mcp://resources/a"
TEXT = b"intro\n# One\ntext\n## Two words\nmore\n"
INFO = ResourceInfo(ALIAS, URI, "a.md", "files/a", "A", "d", "file", "text/markdown", 9, 7, Version("v"))
OUTLINE = outline_of("text/markdown", TEXT)


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        (f"{URI}?section=one", Address(URI, "one")),
        (f"{URI}?section=Two%20words", Address(URI, "Two words")),
        (f"{URI}?section=", Address(URI, "")),
        (f"{URI}?section=%C3%A9", Address(URI, "é")),
        (URI, None),
        (f"{URI}?", None),
        (f"{URI}?other=one", None),
        (f"{URI}?section=one&section=two", None),
        (f"{URI}?section=one&other=1", None),
        (f"{URI}?" + "a=1&" * 100, None),
        (f"{URI}?section=one#there", None),
        (f"{URI}?section={'x' * MAX_URI_BYTES}", None),
    ],
)
def test_a_uri_is_taken_apart_where_its_query_is_a_section(uri: str, address: Address | None) -> None:
    assert split_section(uri) == address


def test_a_section_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(InvalidUri, match="UTF-8"):
        split_section(f"{URI}?section=%ff")


@given(st.text())
def test_any_section_survives_its_uri(wanted: str) -> None:
    address = split_section(section_uri(URI, wanted))
    assert address == Address(URI, wanted.encode("utf-8", "replace").decode())


def test_a_section_has_title_size_and_uri_of_its_own_and_the_version_of_its_document() -> None:
    info = section_info(INFO, "TWO WORDS", OUTLINE)
    assert (info.uri, info.canonical_uri) == (f"{ALIAS}?section=two-words", f"{URI}?section=two-words")
    assert (info.title, info.description, info.size) == ("Two words", "One > Two words", 18)
    assert (info.path, info.version, info.media_type, info.type) == ("a.md", "v", "text/markdown", "file")
    assert info.document is INFO
    assert info.section is not None
    assert cut(Content(TEXT, SourceEntry("a.md", Version("v"), 9, 7)), info.section).data == (
        b"## Two words\nmore\n"
    )


def test_without_an_outline_a_section_is_left_to_be_resolved() -> None:
    info = section_info(INFO, "Two words", None)
    assert (info.section, info.wanted, info.uri) == (None, "Two words", f"{ALIAS}?section=Two%20words")


def test_an_unknown_section_is_told_with_those_there_are() -> None:
    with pytest.raises(SectionNotFound) as caught:
        section_info(INFO, "three", OUTLINE)
    assert caught.value.message == (
        f"There is no section 'three' in {ALIAS}. The sections are: one, two-words."
    )
    assert caught.value.data == {"uri": ALIAS, "sections": ["one", "two-words"]}


def test_the_list_of_sections_in_an_error_is_bounded_and_so_is_what_the_client_sent() -> None:
    many = outline_of("text/markdown", b"# a\n" * (MAX_NAMED + 5))
    with pytest.raises(SectionNotFound, match=", and 5 more") as caught:
        section_info(INFO, "x" * 10_000, many)
    assert len(caught.value.message) < 1000
    assert caught.value.data is not None
    assert len(caught.value.data["sections"]) == MAX_NAMED


def test_a_document_without_sections_is_to_be_read_whole() -> None:
    with pytest.raises(SectionNotFound, match="has no sections; read the complete document"):
        section_info(INFO, "one", Outline())
