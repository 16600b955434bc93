from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.documents.sections.headings import headings
from choirbook.documents.sections.outline import MAX_SECTIONS, MAX_TITLE


def found(text: str) -> list[tuple[str, int]]:
    return [(mark.title, mark.level) for mark in headings(text.encode())]


def spans(text: str) -> dict[str, str]:
    data = text.encode()
    return {mark.title: data[mark.start : mark.end].decode() for mark in headings(data)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("just text\n", []),
        ("# One\n## Two ##\n", [("One", 1), ("Two", 2)]),
        ("One\n===\n\nTwo\n---\n", [("One", 1), ("Two", 2)]),
        ("Over\ntwo lines\n===\n", [("Over two lines", 1)]),
        ("###### Six\n####### Seven\n", [("Six", 6)]),
        ("#No blank\n\\# Escaped\n", []),
        ("   # Three blanks\n", [("Three blanks", 1)]),
        ("\n    # Code\n", []),
        ("```sh\n# a comment\n```\n# After\n", [("After", 1)]),
        ("~~~\n# a comment\n```\n# still\n~~~\n# After\n", [("After", 1)]),
        ("- ```\n  # in a list\n  ```\n\n# After\n", [("After", 1)]),
        ("```\n# never closed\n", []),
        ("<!--\n# a comment\n-->\n\n# After\n", [("After", 1)]),
        ("> # Quoted\n\n- # Listed\n", [("Quoted", 1), ("Listed", 1)]),
        ("# `code` and *stress*, a [link](https://x.example) & ![picture](p.png)\n",
         [("code and stress, a link & picture", 1)]),
        ("# [Link][ref]\n\n[ref]: https://x.example\n", [("Link", 1)]),
        ("# a <b>tag</b> &amp; \\*more\\*\n", [("a tag & *more*", 1)]),
        ("# \n", [("", 1)]),
        ("# Überschrift 見出し 🎉\n", [("Überschrift 見出し 🎉", 1)]),
        ("---\ntitle: T\n# comment: x\n---\n# Body\n", [("Body", 1)]),
        ("\ufeff---\r\ntitle: T\r\n---\r\n# Body\r\n", [("Body", 1)]),
        ("---\n# No front matter\n", [("No front matter", 1)]),
    ],
)  # fmt: skip
def test_headings_are_those_of_commonmark(text: str, expected: list[tuple[str, int]]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_section_reaches_to_the_next_heading_that_is_not_below_it(line_end: str) -> None:
    lines = ["\ufeff---", "title: é", "---", "pre", "# A", "é", "## B", "b", "### C", "c", "## D", "# E", "e"]
    text = line_end.join(lines)
    at = {title: text.index(f"# {title}") for title in "AE"}
    assert spans(text) == {
        "A": text[at["A"] : at["E"]],
        "B": line_end.join(["## B", "b", "### C", "c", ""]),
        "C": line_end.join(["### C", "c", ""]),
        "D": f"## D{line_end}",
        "E": text[at["E"] :],
    }


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\0"])
def test_what_only_looks_like_a_line_end_does_not_move_a_section(separator: str) -> None:
    assert spans(f"a{separator}b\n# H\nx\n") == {"H": "# H\nx\n"}


def test_a_title_is_bounded_and_so_is_the_number_of_headings() -> None:
    (mark,) = headings(("# " + "*long* " * 1000).encode())
    assert len(mark.title) <= MAX_TITLE
    assert len(headings(b"# x\n" * (MAX_SECTIONS + 1))) == MAX_SECTIONS


PIECES = [
    "# a",
    "## b",
    "- c",
    "  d",
    "> q",
    "```",
    "~~~",
    "===",
    "---",
    "",
    "    # e",
    "<div>",
    "<!--",
    "-->",
    "1. f",
    "[g]: /u",
    "text",
    "\t# h",
    "> # i",
    "- # j",
    "é 見",
    "# a",
    "\x85",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12), st.sampled_from(["\n", "\r\n", "\r"]))
def test_every_mark_starts_on_a_line_that_holds_its_title(lines: list[str], line_end: str) -> None:
    data = line_end.join(lines).encode()
    marks = headings(data)
    for mark in marks:
        assert mark.start == 0 or data[: mark.start].endswith((b"\n", b"\r"))
        assert all(word in data[mark.start : mark.end].decode() for word in mark.title.split()[:1])
    for one, other in pairwise(marks):
        assert one.start < other.start
        assert one.end <= other.start or one.end >= other.end


@given(st.text(max_size=300))
def test_any_text_has_marks_within_it(text: str) -> None:
    data = text.encode("utf-8", "replace")
    for mark in headings(data):
        assert 0 <= mark.start < mark.end <= len(data)
        assert 1 <= mark.level <= 6
