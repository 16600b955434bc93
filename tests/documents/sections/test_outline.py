import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.documents.sections.outline import MAX_SECTIONS, Outline, SectionMark, assemble, slug_of
from choirbook.documents.sections.parser import MAX_OUTLINED_BYTES, outline_of
from choirbook.settings import STARTER_LIBRARY
from choirbook.uri import canonical_uri

MARKDOWN = "text/markdown"


def outline(text: str) -> Outline:
    return outline_of(MARKDOWN, text.encode())


def slugs(text: str) -> list[str]:
    return [section.slug for section in outline(text).sections]


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Fixtures", "fixtures"),
        ("What to test", "what-to-test"),
        ("Don't panic!", "dont-panic"),
        ("pytest.fixture", "pytestfixture"),
        ("snake_case", "snake_case"),
        ("  --dry-run  ", "dry-run"),
        ("Überschrift 見出し", "überschrift-見出し"),
        ("A\u030angstro\u0308m", "ångström"),
        ("हिन्दी", "हिन्दी"),
        ("🎉", "section"),
        ("", "section"),
        ("x" * 500, "x" * 80),
    ],
)
def test_a_slug_is_made_as_anchors_are(title: str, slug: str) -> None:
    assert slug_of(title) == slug


@given(st.text())
def test_any_title_has_a_slug_that_a_uri_can_hold(title: str) -> None:
    slug = slug_of(title)
    assert slug
    assert unicodedata.is_normalized("NFC", slug)
    assert canonical_uri(f"mcp://resources/{slug}")
    assert slug_of(slug) == slug


def test_titles_that_share_a_slug_are_numbered() -> None:
    assert slugs("# A\n# a\n# A!\n# B\n") == ["a", "a-2", "a-3", "b"]
    assert slugs("# a-2\n# a\n# a\n# a\n") == ["a-2", "a", "a-3", "a-4"]


def test_an_element_with_elements_has_the_plain_slug() -> None:
    found = outline_of("application/xml", b'<t><v name="a">x</v><s name="a"><b/></s></t>')
    assert [section.slug for section in found.sections] == ["a-2", "a"]


def test_a_section_knows_where_it_lies() -> None:
    sections = outline("# A\n## B\n#### C\n## D\n# E\n").sections
    assert [section.heading_path for section in sections] == [
        ("A",),
        ("A", "B"),
        ("A", "B", "C"),
        ("A", "D"),
        ("E",),
    ]
    assert [(section.level, section.size_bytes, section.tokens) for section in sections] == [
        (1, 21, 6),
        (2, 12, 3),
        (4, 7, 2),
        (2, 5, 2),
        (1, 4, 1),
    ]


@pytest.mark.parametrize("wanted", ["dont-panic", "Don't panic", "DON'T  PANIC", "#dont-panic", "dont_panic"])
def test_a_section_is_found_by_slug_or_title_in_any_case(wanted: str) -> None:
    found = outline("# A\n# Don't panic\n# Don't panic\n").find(wanted)
    assert found is not None
    assert found.slug == "dont-panic"


@pytest.mark.parametrize("wanted", ["", "#", "b", "dont", "\ud800", "a" * 10_000])
def test_what_names_no_section_is_not_found(wanted: str) -> None:
    assert outline("# Don't panic\n").find(wanted) is None


def test_an_exact_slug_goes_before_a_title() -> None:
    found = outline("# A 2\n# A\n# A\n").find("a-2")
    assert found is not None
    assert found.start == 0
    second = outline("# A\n# A\n# A-2x\n").find("a-2")
    assert second is not None
    assert second.title == "A"


@pytest.mark.parametrize(
    ("media_type", "data"),
    [
        (MARKDOWN, b"# \xff\n"),
        (MARKDOWN, b"# a\n" + b"x" * MAX_OUTLINED_BYTES),
        ("text/plain", b"# a\n"),
        ("image/png", b"# a\n"),
        ("application/xml", b'<a name="x">'),
        ("application/xml", '<a name="x"/>'.encode("utf-16")),
    ],
)
def test_what_cannot_be_parsed_has_an_empty_outline(media_type: str, data: bytes) -> None:
    assert outline_of(media_type, data).sections == ()


HOSTILE = {
    "one long line": "x" * 1_000_000,
    "brackets": "[" * 500_000,
    "quotes in quotes": "> " * 300_000,
    "lists in lists": "- " * 300_000,
    "deeper and deeper": "".join(f"{'  ' * depth}- a\n" for depth in range(900)),
    "fences": "```\n" * 50_001,
    "an underlined book": "a\n" * 50_000 + "===\n",
    "headings of brackets": ("# " + "[" * 3000 + "\n") * 100,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_document_is_borne(text: str) -> None:
    assert len(outline(text).sections) <= 100


@given(st.lists(st.tuples(st.text(max_size=8), st.integers(1, 6)), max_size=40))
def test_sections_are_nested_and_their_slugs_are_unique(titles: list[tuple[str, int]]) -> None:
    text = "".join(f"{'#' * level} {''.join(title.split())}x\ntext\n" for title, level in titles)
    data = text.encode("utf-8", "replace")
    found = outline_of(MARKDOWN, data).sections
    assert len({section.slug for section in found}) == len(found)
    for index, section in enumerate(found):
        assert 0 <= section.start < section.end <= len(data)
        assert section.heading_path[-1] == section.title
        for later in found[index + 1 :]:
            assert later.start >= section.end or (later.end <= section.end and later.level > section.level)


def test_more_marks_than_are_kept_leave_the_text_to_the_last() -> None:
    text = "# a\n" + "## b\n" * MAX_SECTIONS
    found = outline(text).sections
    assert len(found) == MAX_SECTIONS
    assert found[-1].end == len(text)


def test_every_document_of_the_starter_library_has_an_outline() -> None:
    for path in STARTER_LIBRARY.rglob("*.md"):
        data = path.read_bytes()
        found = outline_of(MARKDOWN, data)
        headings = [line for line in data.decode().splitlines() if line.startswith("## ")]
        assert [f"## {section.title}" for section in found.sections if section.level == 2] == [
            heading.replace("`", "") for heading in headings
        ]
    for path in STARTER_LIBRARY.rglob("*.xml"):
        found = outline_of("application/xml", path.read_bytes())
        assert path.read_bytes().count(b"<section name=") == sum(
            path.read_bytes()[section.start :].startswith(b"<section") for section in found.sections
        )


def test_assembling_nothing_gives_an_empty_outline() -> None:
    assert assemble([]).sections == ()
    assert assemble([SectionMark("A", 1, 0, 3)]).sections[0].slug == "a"
