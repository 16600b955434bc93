from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.dashboard.preview import MAX_BYTES, MAX_LINE, preview

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt&colon;alert(1))",
    "[a](  javascript:alert(1))",
    "[a](vbscript:x) [b](data:text/html;base64,PHNjcmlwdD4=)",
    "<javascript:alert(1)>",
    "![a](https://elsewhere.example/pixel.png)",
    "![a](javascript:alert(1))",
    "[a]\n\n[a]: javascript:alert(1)",
    "[![a](x.png)](https://elsewhere.example)",
    "[a](other.md)",
    '[a](https://x.example "\\" onmouseover=alert(1) x=\\"")',
    '```"><script>alert(1)</script>\ncode\n```',
    "<a href='https://x.example' onclick=alert(1)>x</a>",
    "| a |\n|---|\n| <b onclick=x>b</b> |",
    "---\ntitle: <script>\n---\n\ntext",
    "<iframe src=https://elsewhere.example></iframe><style>*{}</style><meta http-equiv=refresh>",
    "<!-- --><base href=x><form action=x><input autofocus onfocus=alert(1)>",
    "\x00\x0b&#0;&#x202e;",
]

ALLOWED = {
    "html",
    "head",
    "meta",
    "title",
    "link",
    "body",
    "main",
    "p",
    "pre",
    "code",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "ul",
    "ol",
    "li",
    "blockquote",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "hr",
    "br",
    "em",
    "strong",
    "s",
    "a",
    "span",
}
ATTRIBUTES = {
    "html": {"lang"},
    "meta": {"charset", "name", "content"},
    "link": {"rel", "href"},
    "a": {"href", "target", "rel"},
    "span": {"class", "title"},
    "pre": {"class", "dir"},
    "code": {"class"},
    "p": {"class", "dir"},
    "ol": {"start"},
    "th": {"class", "dir"},
    "td": {"class", "dir"},
    **{tag: {"dir"} for tag in ("h1", "h2", "h3", "h4", "h5", "h6", "li", "blockquote")},
}


class Checker(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def checked(page: bytes) -> Checker:
    """Take a page apart, and see that nothing is in it but what the preview itself makes."""
    checker = Checker()
    checker.feed(page.decode())
    for tag, attributes in checker.tags:
        assert tag in ALLOWED, tag
        assert set(attributes) <= ATTRIBUTES.get(tag, set()), (tag, attributes)
        if tag == "a":
            assert (attributes["href"] or "").lower().startswith(("https://", "http://", "mailto:"))
            assert attributes["rel"] == "noopener noreferrer nofollow"
        assert attributes.get("dir", "auto") == "auto"
        if tag in {"th", "td"} and "class" in attributes:
            assert attributes["class"] in {"left", "right", "center"}
    assert [tag for tag, _ in checker.tags].count("link") == 1
    return checker


def shown(text: str | bytes, media_type: str = "text/markdown") -> Checker:
    data = text.encode() if isinstance(text, str) else text
    return checked(preview("A title", media_type, data, "assets/preview.css"))


@pytest.mark.parametrize("media_type", ["text/markdown", "application/xml", "image/svg+xml", "text/html"])
@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_document_makes_no_markup_of_its_own(text: str, media_type: str) -> None:
    shown(text, media_type)


@given(text=st.text(alphabet=st.sampled_from("<>&\"'[]()!`*_#|-:/\\ \nabjavascripthttps=")))
def test_no_text_makes_markup_of_its_own(text: str) -> None:
    shown(text)


@given(data=st.binary(max_size=300))
def test_no_bytes_make_markup_of_their_own(data: bytes) -> None:
    shown(data)
    shown(data, "text/plain")


def test_the_title_is_text() -> None:
    checked(preview("</title><script>alert(1)</script>", "text/plain", b"x", "assets/preview.css"))


def test_the_structure_of_markdown_is_shown() -> None:
    page = shown(
        "# One\n\n- two\n- *three*\n\n| a | b |\n|---|--:|\n| c | d |\n\n~~no~~ [yes](https://x.example)\n"
    )
    tags = [tag for tag, _ in page.tags]
    for tag in ("h1", "ul", "li", "em", "table", "td", "s", "a"):
        assert tag in tags


def test_a_link_within_the_library_is_shown_and_leads_nowhere() -> None:
    page = shown("See [the core](mcp://resources/sdlc/core).")
    assert ("span", {"class": "unlinked", "title": "mcp://resources/sdlc/core"}) in page.tags
    assert "See the core." in page.text


def test_a_picture_is_its_description() -> None:
    assert "Picture: a plan" in shown("![a plan](https://elsewhere.example/plan.png)").text


def test_markup_of_others_is_shown_as_it_is() -> None:
    xml = "<prd><title>A &amp; B</title></prd>"
    assert xml in shown(xml, "application/xml").text


def test_a_very_long_line_is_cut_off_and_that_is_said() -> None:
    page = preview("t", "text/markdown", b"# Start\n\n" + b"x" * 5_000_000, "assets/preview.css")
    assert len(page) < 2 * MAX_BYTES
    text = checked(page).text
    assert f"The first {MAX_BYTES:,} of 5,000,009 bytes are shown." in text
    assert f"Lines are cut off after {MAX_LINE:,} characters." in text
    assert "x" * MAX_LINE + " \u2026" in text
    assert "x" * (MAX_LINE + 1) not in text


def test_a_document_that_is_cut_within_a_character_is_not_called_broken() -> None:
    text = shown("ż\n" * MAX_BYTES, "text/plain").text
    assert "not valid UTF-8" not in text
    assert "\ufffd" not in text


def test_what_is_not_utf_8_is_shown_as_far_as_it_goes() -> None:
    text = shown(b"caf\xe9\n", "text/plain").text
    assert "not valid UTF-8" in text
    assert "caf\ufffd" in text


def test_long_markdown_is_shown_as_its_source() -> None:
    page = shown("# Title\n\n" + "word\n" * 30_000)
    assert "h1" not in [tag for tag, _ in page.tags]
    assert "# Title" in page.text


def test_what_is_no_text_is_not_shown() -> None:
    assert "This document is image/png, not text" in shown(b"\x89PNG\r\n", "image/png").text
