from base64 import urlsafe_b64encode

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from choirbook.catalog.cursors import decode_cursor, encode_cursor
from choirbook.errors import InvalidCursor
from choirbook.uri import MAX_URI_BYTES, UriParts, join_uri
from tests.support.strategies import segments


@given(st.lists(segments, max_size=6))
def test_a_cursor_gives_its_uri_back(names: list[str]) -> None:
    uri = join_uri(UriParts("mcp", "resources", tuple(names)))
    assume(len(uri) <= MAX_URI_BYTES)
    cursor = encode_cursor(uri)
    assert decode_cursor(cursor) == uri
    assert cursor.isascii()
    assert not set(cursor) & set("=+/&?")


def _encoded(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


GOOD = encode_cursor("mcp://resources/sdlc/core")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "0",
        "x",
        "2",
        "not base64!",
        "ä",
        GOOD + "=",
        GOOD + "A",
        GOOD[:-1],
        GOOD + "\n",
        " " + GOOD,
        _encoded("mcp://resources/sdlc/core"),
        _encoded("2:mcp://resources/sdlc/core"),
        _encoded("1:MCP://resources/sdlc/core"),
        _encoded("1:mcp://resources/../core"),
        _encoded("1:/etc/passwd"),
        _encoded("1:"),
        urlsafe_b64encode(b"1:\xff\xff").decode().rstrip("="),
        "A" * 5000,
    ],
)
def test_a_cursor_of_somebody_else_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(cursor)


@given(
    st.one_of(st.text(), st.text("ABCabc019-_=+/"), st.binary().map(lambda b: urlsafe_b64encode(b).decode()))
)
def test_whatever_is_accepted_is_what_this_server_makes(cursor: str) -> None:
    try:
        uri = decode_cursor(cursor)
    except InvalidCursor:
        return
    assert encode_cursor(uri) == cursor
