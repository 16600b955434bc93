import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from choirbook.documents.metadata import HEAD_BYTES, MAX_DESCRIPTION, MAX_TITLE, Headline, headline_of

MARKDOWN = {
    "front matter": (
        "---\ntitle: A title\ndescription: What it is.\n---\n# Other\n\nText.",
        ("A title", "What it is."),
    ),
    "front matter with quotes": ('---\ntitle: "A: b"\n---\n\nText.', ("A: b", "Text.")),
    "front matter with other keys": ("---\ntags: [a]\nTitle: x\n---\n# H\n\nText.", ("H", "Text.")),
    "a folded description": ("---\ndescription: >\n  one\n  two\n---\n# H\n", ("H", "one two")),
    "a number as a title": ("---\ntitle: '2024'\n---\n", ("2024", "")),
    "broken front matter": ("---\ntitle: [\n---\n# H\n\nText.", ("H", "Text.")),
    "front matter that is a list": ("---\n- a\n---\n# H\n\nText.", ("H", "Text.")),
    "a title that is a list": ("---\ntitle: [a]\n---\n# H\n\nText.", ("H", "Text.")),
    "a heading": (
        "# The *core* of `it`\n\nFirst [text](http://x) here.\n",
        ("The core of it", "First text here."),
    ),
    "a closed heading": ("## A ##\n\ntext", ("A", "text")),
    "a heading that ends in #": ("# C#\n\ntext", ("C#", "text")),
    "an empty heading before one": ("#  \n\n# A #\n\ntext", ("A", "text")),
    "a link with parentheses": ("# [A](http://x/(y)) b\n\ne ![c](d)", ("A b", "e c")),
    "an anchored title": ("---\nx: &a B\ntitle: *a\n---\n# H\n\ntext", ("B", "text")),
    "an underlined heading": ("The core\n========\n\nText.", ("The core", "Text.")),
    "no heading": ("Only text\nin two lines.\n\nMore.", ("", "Only text in two lines.")),
    "a heading in a code block": ("```\n# not this\n```\n\n# This\n\nText.", ("This", "Text.")),
    "lists before the text": ("# H\n\n- a\n- b\n\n> q\n\nText.", ("H", "Text.")),
    "a byte order mark": ("\ufeff# H\n\nText.", ("H", "Text.")),
    "Windows line ends": ("---\r\ntitle: A\r\n---\r\n# H\r\n\r\nText.\r\n", ("A", "Text.")),
    "nothing": ("", ("", "")),
}


@pytest.mark.parametrize(("text", "expected"), MARKDOWN.values(), ids=MARKDOWN.keys())
def test_markdown_has_its_headline_in(text: str, expected: tuple[str, str]) -> None:
    assert headline_of("text/markdown", text.encode()) == Headline(*expected)


def test_xml_has_its_headline_in_title_and_description() -> None:
    text = b"<prd><title>P &amp; R</title>\n<description>What\n to build</description></prd>"
    assert headline_of("application/xml", text) == Headline("P & R", "What to build")
    assert headline_of("image/svg+xml", b"<svg><title>Box</title></svg>") == Headline("Box", "")


def test_entities_of_xml_are_not_expanded() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]><x><title>&b;</title></x>'
    assert headline_of("application/xml", bomb).title == "&b;"


def test_other_types_have_none() -> None:
    assert headline_of("text/plain", b"# Not a heading") == Headline("", "")


def test_long_headlines_are_cut() -> None:
    found = headline_of("text/markdown", f"# {'t' * 999}\n\n{'d' * 999}".encode())
    assert len(found.title) == MAX_TITLE
    assert len(found.description) == MAX_DESCRIPTION
    assert found.title.endswith("…")


YAML_TRAPS = [
    'a: !!int ""',
    'a: !!float ""',
    "a: !!timestamp x",
    "a: !!bool x",
    "a: 2024-99-99",
    "a: &x [*x]",
    "? {a: b}\n: c",
    "<<: 1",
    "a: !!python/object:os.system x",
    '"title": 0x' + "f" * 3900,
    "a: " + "[" * 2000,
    "title: x\na: " + "[" * 2000,
    "- " * 1800 + "x",
    "? " * 1800 + "x",
    "\t",
    "a: \x01",
]


@pytest.mark.parametrize("block", YAML_TRAPS, ids=range(len(YAML_TRAPS)))
def test_no_front_matter_keeps_a_document_out(block: str) -> None:
    """One document whose front matter is odd must not end the scan of the library."""
    found = headline_of("text/markdown", f"---\n{block}\n---\n# H\n\nText.".encode()[:HEAD_BYTES])
    assert found.description in {"Text.", ""}


scalars = st.sampled_from(
    ["!!int", "!!float", "!!bool", "!!timestamp", "!!binary", "!!null", "!!set", "", "&a", "*a"]
)
lines = st.tuples(
    st.sampled_from(["title", "description", "a", "-", "?", "<<"]), scalars, st.text(max_size=8)
)


@given(st.lists(lines, max_size=4))
@example([("title", "!!int", "")])
def test_any_front_matter_gives_a_headline(block: list[tuple[str, str, str]]) -> None:
    text = "\n".join(f"{key}: {tag} {value}" for key, tag, value in block)
    found = headline_of("text/markdown", f"---\n{text}\n---\n# H\n".encode())
    assert len(found.title) <= MAX_TITLE


@given(st.sampled_from(["text/markdown", "application/xml"]), st.binary(max_size=300))
def test_any_bytes_give_a_headline_of_one_line(media_type: str, head: bytes) -> None:
    found = headline_of(media_type, head)
    for text, limit in ((found.title, MAX_TITLE), (found.description, MAX_DESCRIPTION)):
        assert len(text) <= limit
        assert "\n" not in text
