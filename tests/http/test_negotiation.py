import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.documents.content_codings import Coding
from choirbook.documents.rendering import CODING_FORMS
from choirbook.errors import InvalidParams, NotAcceptable
from choirbook.http.negotiation import (
    MAX_HEADER_CHARACTERS,
    Exposition,
    choose_exposition,
    negotiate,
    preferences,
)
from choirbook.model import Form

MARKDOWN = "text/markdown"
XML = "application/xml"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, Form.JSON),
        ("", Form.JSON),
        (" ", Form.JSON),
        ("*/*", Form.JSON),
        ("application/*", Form.JSON),
        ("application/json", Form.JSON),
        ("APPLICATION/JSON", Form.JSON),
        ("text/*", Form.RAW),
        ("text/plain", Form.RAW),
        ("text/markdown", Form.RAW),
        ("Text/Markdown; charset=utf-8", Form.RAW),
        ("text/markdown, application/json", Form.JSON),
        ("text/markdown, application/json;q=0.9", Form.RAW),
        ("text/markdown;q=0.5, application/json", Form.JSON),
        ("text/*, */*;q=0.1", Form.RAW),
        ("text/html, application/xhtml+xml, */*;q=0.8", Form.JSON),
        ("text/markdown;q=0, */*", Form.JSON),
        ("application/json;q=0, */*", Form.RAW),
        ("application/json;q=0, text/*;q=0.001", Form.RAW),
        ("text/plain;q=oops, application/json;q=0.1", Form.JSON),
        ("text/plain;q=2, application/json;q=0.1", Form.JSON),
        ("text/plain;q=nan, application/json;q=0.1", Form.JSON),
        (", ,application/json", Form.JSON),
        ("gibberish, application/json", Form.JSON),
    ],
)
def test_accept_chooses_the_form_of_a_text(accept: str | None, form: Form) -> None:
    assert negotiate(accept, None, None, MARKDOWN) is form


@pytest.mark.parametrize("accept", ["text/*", "text/plain", XML, "application/xml, application/json;q=0.5"])
def test_xml_counts_as_text(accept: str) -> None:
    assert negotiate(accept, None, None, XML) is Form.RAW


@pytest.mark.parametrize(
    ("accept", "form"),
    [("image/png", Form.RAW), ("image/*", Form.RAW), ("*/*", Form.JSON), (None, Form.JSON)],
)
def test_accept_chooses_the_form_of_a_picture(accept: str | None, form: Form) -> None:
    assert negotiate(accept, None, None, "image/png") is form


def test_a_json_document_is_sent_in_its_envelope_unless_raw_is_asked_for() -> None:
    assert negotiate("application/json", None, None, "application/json") is Form.JSON
    assert negotiate("text/plain", None, None, "application/json") is Form.RAW
    assert negotiate("application/json", None, "raw", "application/json") is Form.RAW


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("image/png", MARKDOWN),
        ("text/*", "image/png"),
        ("text/html", MARKDOWN),
        ("*/*;q=0", MARKDOWN),
        ("application/json;q=0", MARKDOWN),
        ("gibberish", MARKDOWN),
    ],
)
def test_what_cannot_be_sent_is_not_acceptable(accept: str, media_type: str) -> None:
    with pytest.raises(NotAcceptable):
        negotiate(accept, None, None, media_type)


def test_a_list_without_elements_asks_for_nothing_in_particular() -> None:
    """An empty list is what RFC 9110, section 5.6.1.2 lets a recipient make of it."""
    assert negotiate(",", None, None, MARKDOWN) is Form.JSON


@pytest.mark.parametrize(("format_", "form"), [("raw", Form.RAW), ("json", Form.JSON)])
def test_the_query_overrules_accept(format_: str, form: Form) -> None:
    assert negotiate("image/gif", None, format_, MARKDOWN) is form


@pytest.mark.parametrize("format_", ["", "RAW", "xml", "raw+gzip", "mcp-modern"])
def test_another_format_is_refused(format_: str) -> None:
    with pytest.raises(InvalidParams):
        negotiate(None, None, format_, MARKDOWN)


@pytest.mark.parametrize(
    ("accept_encoding", "coding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("gzip", Coding.GZIP),
        ("GZIP", Coding.GZIP),
        ("br", Coding.BR),
        ("zstd", Coding.ZSTD),
        ("gzip, deflate, br, zstd", Coding.ZSTD),
        ("gzip, br", Coding.BR),
        ("gzip;q=1.0, br;q=0.5", Coding.GZIP),
        ("*", Coding.ZSTD),
        ("*;q=0.5, gzip", Coding.GZIP),
        ("zstd;q=0, *", Coding.BR),
        ("gzip;q=0", None),
        ("gzip;q=0.5, identity", None),
        ("gzip;q=0.5, identity;q=0.1", Coding.GZIP),
        ("deflate", None),
        ("*;q=0", None),
        ("identity;q=0", None),
    ],
)
@pytest.mark.parametrize("form", [Form.RAW, Form.JSON])
def test_accept_encoding_chooses_the_coding(
    accept_encoding: str | None, coding: Coding | None, form: Form
) -> None:
    expected = form if coding is None else CODING_FORMS[form, coding]
    assert negotiate(None, accept_encoding, form.value, MARKDOWN) is expected


def test_a_picture_is_not_compressed_again() -> None:
    assert negotiate(None, "gzip", "raw", "image/png") is Form.RAW
    assert negotiate(None, "gzip", "json", "image/png") is Form.JSON_GZIP


headers = st.one_of(
    st.none(),
    st.text(),
    st.lists(
        st.tuples(
            st.sampled_from(
                ["*/*", "text/*", "text/markdown", "application/json", "gzip", "br", "*", "identity", ""]
            ),
            st.sampled_from(["", ";q=0", ";q=0.5", ";q=1", ";q=", ";q=-1", ";q=inf", ";x=1;q=0.2"]),
        )
    ).map(lambda elements: ",".join(value + quality for value, quality in elements)),
)


@given(headers, headers, st.sampled_from([MARKDOWN, XML, "image/png", "application/json"]))
def test_any_headers_choose_a_form_that_is_sent_or_none(
    accept: str | None, accept_encoding: str | None, media_type: str
) -> None:
    try:
        form = negotiate(accept, accept_encoding, None, media_type)
    except NotAcceptable:
        return
    assert form in {Form.RAW, Form.JSON, *CODING_FORMS.values()}


@given(st.text())
def test_qualities_are_between_nothing_and_one(header: str) -> None:
    for preference in preferences(header):
        assert preference.value
        assert 0.0 <= preference.quality <= 1.0


def test_a_header_that_is_too_long_to_be_remembered_is_read_all_the_same() -> None:
    padding = ", ".join(f"text/x-{number}" for number in range(MAX_HEADER_CHARACTERS // 8))
    assert negotiate(f"{padding}, text/markdown", None, None, MARKDOWN) is Form.RAW


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, Exposition.TEXT),
        ("", Exposition.TEXT),
        ("*/*", Exposition.TEXT),
        ("text/plain", Exposition.TEXT),
        ("application/openmetrics-text", Exposition.OPENMETRICS),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", Exposition.OPENMETRICS),
        ('Application/OpenMetrics-Text; Version="1.0.0"', Exposition.OPENMETRICS),
        ("application/openmetrics-text; version=0.0.1", Exposition.TEXT),
        ("application/openmetrics-text; version=2.0.0", Exposition.TEXT),
        ("application/openmetrics-text; q=0", Exposition.TEXT),
        ("application/openmetrics-text; q=0.3, text/plain; q=0.7", Exposition.TEXT),
        ("application/openmetrics-text; q=0.7, text/plain; q=0.3", Exposition.OPENMETRICS),
        ("image/png", Exposition.TEXT),
        (";;,=,q", Exposition.TEXT),
    ],
)
def test_metrics_are_spelled_as_the_scraper_prefers(accept: str | None, chosen: Exposition) -> None:
    assert choose_exposition(accept) is chosen


@given(st.text(max_size=200))
def test_whatever_a_scraper_accepts_it_gets_metrics(accept: str) -> None:
    assert choose_exposition(accept) in Exposition
