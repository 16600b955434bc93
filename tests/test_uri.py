import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from choirbook.errors import InvalidUri
from choirbook.uri import (
    MAX_SEGMENT_BYTES,
    MAX_URI_BYTES,
    UriParts,
    UriTemplate,
    canonical_uri,
    check_segments,
    join_uri,
    split_uri,
)
from tests.support.strategies import paths, percent_encoded, segments

BASE = "mcp://resources/"
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

REFUSED = {
    "a bad percent": "files/a%",
    "a percent with one digit": "files/a%4",
    "a percent with no hexadecimal digits": "files/a%zz",
    "a percent with a sign": "files/a%+1",
    "bytes that are not UTF-8": "files/%ff",
    "overlong UTF-8": "files/%c0%ae%c0%ae",
    "an encoded surrogate": "files/%ed%a0%80",
    "a surrogate": "files/\ud800",
    "NUL": "files/a\0b",
    "an encoded NUL": "files/a%00b",
    "a tab": "files/a\tb",
    "a line feed": "files/a\nb",
    "a carriage return": "files/a\rb",
    "a leading line feed": "files/\na",
    "an encoded line feed": "files/a%0Ab",
    "a C1 control": "files/a\x85b",
    "an encoded C1 control": "files/a%C2%85b",
    "DEL": "files/a\x7fb",
    "an encoded DEL": "files/a%7Fb",
    "a backslash": "files/a\\b",
    "an encoded backslash": "files/a%5Cb",
    "an encoded slash": "files/a%2Fb",
    "an encoded slash in lower case": "files/a%2fb",
    "a dot segment": "files/./a",
    "an encoded dot segment": "files/%2E/a",
    "a last dot segment": "files/a/.",
    "a parent segment": "files/../a",
    "an encoded parent segment": "files/%2e%2e/a",
    "a half encoded parent segment": "files/.%2e/a",
    "an empty segment": "files//a",
    "an empty first segment": "/files/a",
    "an empty last segment": "files/a/",
    "a parameter": "files/a;v=1",
    "an encoded parameter": "files/a%3Bv=1",
    "a query": "files/a?x=1",
    "an empty query": "files/a?",
    "a fragment": "files/a#x",
    "an empty fragment": "files/a#",
    "a segment that is too long": "files/" + "a" * (MAX_SEGMENT_BYTES + 1),
    "a segment that is too long in UTF-8": "files/" + "ä" * 128,
    "a decomposed letter": "files/a\u0308",
    "an encoded decomposed letter": "files/a%CC%88",
    "a replacement character": "files/\ufffd",
    **{f"the bidi control U+{ord(mark):04X}": f"files/a{mark}b" for mark in BIDI},
    **{f"the encoded bidi control U+{ord(mark):04X}": f"files/a{percent_encoded(mark)}b" for mark in BIDI},
}

WHOLE = {
    "nothing": "",
    "no scheme": "resources/sdlc/core",
    "a path": "/etc/passwd",
    "one slash": "mcp:/resources/sdlc/core",
    "an empty scheme": "://resources/sdlc/core",
    "a scheme with a space": "m p://resources/sdlc/core",
    "a scheme that starts with a digit": "1mcp://resources/sdlc/core",
    "a scheme beyond ASCII": "mcp\u0131://resources/sdlc/core",
    "an empty authority": "mcp:///sdlc/core",
    "user information": "mcp://user@resources/sdlc/core",
    "a user with a password": "mcp://user:secret@resources/sdlc/core",
    "a port": "mcp://resources:80/sdlc/core",
    "an empty port": "mcp://resources:/sdlc/core",
    "an encoded authority": "mcp://res%6Furces/sdlc/core",
    "an authority beyond ASCII": "mcp://re\u017fources/sdlc/core",
    "an authority with a space": "mcp://resources /sdlc/core",
    "a query of an authority": "mcp://resources?x",
    "a fragment of an authority": "mcp://resources#x",
    "a URI that is too long": BASE + "/".join(["a" * 250] * 9),
    "a URI that is too long before it is decoded": BASE + percent_encoded("a" * 240) * 1 + "/" + "%61" * 500,
    "a leading space": " mcp://resources/sdlc/core",
    "a file": "file:///etc/passwd",
}


@pytest.mark.parametrize("path", REFUSED.values(), ids=REFUSED.keys())
def test_a_path_is_refused_that_has(path: str) -> None:
    with pytest.raises(InvalidUri):
        canonical_uri(BASE + path)


@pytest.mark.parametrize("uri", WHOLE.values(), ids=WHOLE.keys())
def test_a_uri_is_refused_that_is_or_has(uri: str) -> None:
    with pytest.raises(InvalidUri):
        canonical_uri(uri)


def test_the_limits_themselves_are_allowed() -> None:
    longest = "/".join(["a" * MAX_SEGMENT_BYTES] * 7)
    uri = BASE + longest + "/" + "b" * (MAX_URI_BYTES - len(BASE) - len(longest) - 1)
    assert len(uri) == MAX_URI_BYTES
    assert canonical_uri(uri) == uri
    with pytest.raises(InvalidUri, match="longer than"):
        canonical_uri(uri + "b")


def test_a_full_width_dot_is_not_a_dot() -> None:
    uri = canonical_uri(BASE + "files/\uff0e\uff0e/a")
    assert split_uri(uri).segments == ("files", "\uff0e\uff0e", "a")


def test_escapes_are_decoded_once() -> None:
    uri = canonical_uri(BASE + "files/%252e%252e")
    assert uri == BASE + "files/%252e%252e"
    assert split_uri(uri).segments == ("files", "%2e%2e")


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("MCP://Resources/sdlc/core", "mcp://resources/sdlc/core"),
        ("mcp://resources/%73dlc/core", "mcp://resources/sdlc/core"),
        ("mcp://resources/a%c3%a4", "mcp://resources/a%C3%A4"),
        ("mcp://resources/aä", "mcp://resources/a%C3%A4"),
        ("mcp://resources/a b", "mcp://resources/a%20b"),
        ("mcp://resources/a%2Bb+c", "mcp://resources/a+b+c"),
        ("mcp://resources/", "mcp://resources"),
        ("test://static-text", "test://static-text"),
    ],
)
def test_spellings_of_one_uri_are_folded(written: str, canonical: str) -> None:
    assert canonical_uri(written) == canonical


@pytest.mark.parametrize("other", ["mcp://resources/SDLC/core", "mcp://resources/sdlc/Core"])
def test_the_case_of_a_path_counts(other: str) -> None:
    assert canonical_uri(other) != "mcp://resources/sdlc/core"


@given(st.lists(segments, max_size=6))
def test_segments_survive_the_way_into_a_uri_and_back(names: list[str]) -> None:
    parts = UriParts("mcp", "resources", tuple(names))
    uri = join_uri(parts)
    assume(len(uri) <= MAX_URI_BYTES)
    assert split_uri(uri) == parts
    assert check_segments(parts.segments) == parts.segments


@given(st.lists(segments, max_size=4))
def test_escaping_every_byte_changes_nothing(names: list[str]) -> None:
    plain = join_uri(UriParts("mcp", "resources", tuple(names)))
    escaped = "/".join(["mcp://resources", *map(percent_encoded, names)])
    assume(max(len(plain), len(escaped)) <= MAX_URI_BYTES)
    assert canonical_uri(escaped) == plain


uris = st.one_of(
    st.text(),
    st.text(alphabet="%.2eEfF5cC/\\;:@?#\0\t\n aäß\u0308\u202e\uff0e").map(lambda tail: BASE + tail),
    paths.map(lambda path: BASE + path),
)


@given(uris)
@example(BASE + "files/a\ud800")
def test_a_canonical_uri_is_its_own_canonical_form(text: str) -> None:
    try:
        once = canonical_uri(text)
    except InvalidUri:
        return
    assert canonical_uri(once) == once
    assert once.isascii()


@given(uris)
def test_a_canonical_uri_has_none_of_what_is_refused(text: str) -> None:
    try:
        names = split_uri(canonical_uri(text)).segments
    except InvalidUri:
        return
    for name in names:
        assert name not in {"", ".", ".."}
        assert not set(name) & set("/\\;\x7f" + BIDI)
        assert not any(unicodedata.category(character) in {"Cc", "Cs"} for character in name)
        assert unicodedata.is_normalized("NFC", name)
        assert len(name.encode()) <= MAX_SEGMENT_BYTES


@given(segments, segments)
def test_a_template_matches_what_it_expanded_to(language: str, name: str) -> None:
    template = UriTemplate("mcp://resources/patterns/{language}/{name}")
    values = {"language": language, "name": name}
    uri = template.expand(values)
    assert template.match(uri) == values
    assert template.without("language").match(template.without("language").expand({"name": name})) == {
        "name": name
    }


@given(paths)
def test_a_reserved_expression_takes_the_rest_of_the_path(path: str) -> None:
    template = UriTemplate("mcp://resources/files/{+path}")
    assume(len(percent_encoded(path)) < MAX_URI_BYTES - 100)
    assert template.match(template.expand({"path": path})) == {"path": path}


@given(st.text(max_size=30))
def test_a_value_with_a_slash_never_becomes_two_segments(text: str) -> None:
    template = UriTemplate("mcp://resources/templates/{name}")
    try:
        uri = template.expand({"name": f"a/{text}"})
    except InvalidUri:
        return
    pytest.fail(f"expanded to {uri}")


@pytest.mark.parametrize("value", ["\udcff", "a\ud800b"])
def test_a_value_that_is_no_text_is_refused(value: str) -> None:
    """File names may hold bytes that are not UTF-8; Python shows them as lone surrogates."""
    with pytest.raises(InvalidUri):
        UriTemplate("mcp://resources/files/{+path}").expand({"path": value})


def test_a_template_does_not_match_other_uris() -> None:
    template = UriTemplate("mcp://resources/templates/{name}-template")
    assert template.match("mcp://resources/templates/prd-template") == {"name": "prd"}
    assert template.match("mcp://resources/templates/prd") is None
    assert template.match("mcp://resources/templates/a/prd-template") is None


def test_a_variable_without_a_value_is_an_error_of_the_caller() -> None:
    with pytest.raises(KeyError):
        UriTemplate("mcp://resources/{name}").expand({})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("mcp://resources/{?query}", "has an expression"),
        ("mcp://resources/{a,b}", "has an expression"),
        ("mcp://resources/{a", "has an expression"),
        ("mcp://resources/a}", "has an expression"),
        ("mcp://resources/{a}/{a}", "names a variable twice"),
    ],
)
def test_a_template_of_another_kind_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        UriTemplate(text)
