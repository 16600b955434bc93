import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.model import ResourceInfo, Version
from choirbook.search.passages import MAX_PIECE, SearchPart, parts_of


def parts(data: bytes, media_type: str = "text/markdown") -> list[SearchPart]:
    info = ResourceInfo("u:a", "u:a", "a", "a", "A", "", "file", media_type, len(data), 0, Version("v"))
    return parts_of(info, data)


def test_each_section_has_its_own_text_and_its_whole_size() -> None:
    text = b"---\nowner: us\n---\nIntro.\n# A\na\n## B\nb\n"
    assert parts(text) == [
        SearchPart(None, (), "---\nowner: us\n---\nIntro.\n", len(text)),
        SearchPart("a", ("A",), "# A\na\n", 13),
        SearchPart("b", ("A", "B"), "## B\nb\n", 7),
    ]


def test_what_an_element_holds_behind_a_named_one_is_the_documents() -> None:
    data = b'<t><s name="x">one</s>two<s name="y">three</s>four</t>'
    assert [(part.slug, part.text) for part in parts(data, "application/xml")] == [
        (None, "<t>\ntwo\nfour</t>"),
        ("x", '<s name="x">one</s>'),
        ("y", '<s name="y">three</s>'),
    ]


@pytest.mark.parametrize(
    ("data", "media_type"), [(b"\xff# A\n", "text/markdown"), (b"text", "image/png"), (b"\xff", "text/plain")]
)
def test_what_is_not_text_is_found_by_its_title_alone(data: bytes, media_type: str) -> None:
    assert parts(data, media_type) == [SearchPart(None, (), "", len(data))]


def test_a_long_text_is_cut_between_words() -> None:
    text = "word " * MAX_PIECE
    found = parts(text.encode(), "text/plain")
    assert "".join(part.text for part in found) == text
    assert all(len(part.text) <= MAX_PIECE and part.text.endswith(" ") for part in found[:-1])
    assert {part.size_bytes for part in found} == {len(text)}


def test_one_endless_line_is_cut_all_the_same() -> None:
    found = parts(b"x" * 5_000_000)
    assert sum(len(part.text) for part in found) == 5_000_000
    assert max(len(part.text) for part in found) == MAX_PIECE


@given(st.lists(st.sampled_from(["# a", "## b", "### c", "text é", "", "```", "- d"]), max_size=15))
def test_every_word_of_a_document_is_in_one_part(lines: list[str]) -> None:
    text = "\n".join(f"{line} w{number}" for number, line in enumerate(lines))
    found = " ".join(part.text for part in parts(text.encode()))
    for number in range(len(lines)):
        assert found.split().count(f"w{number}") == 1
