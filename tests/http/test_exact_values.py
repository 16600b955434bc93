"""Headers and queries of exactly the allowed length, and of one more."""

from __future__ import annotations

import pytest

from choirbook.errors import InvalidParams, NotAcceptable, RangeNotSatisfiable
from choirbook.http.conditional import MAX_DIGITS, Conditions, is_not_modified, requested_range
from choirbook.http.negotiation import MAX_HEADER_CHARACTERS, negotiate
from choirbook.http.query import limit_of
from choirbook.http.search import MAX_QUERY_BYTES
from choirbook.model import Form
from tests.support.apps import Served

LONG = "9" * MAX_DIGITS


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"bytes=0-{LONG}", (0, 100)),
        (f"bytes=-{LONG}", (0, 100)),
        (f"bytes=0-{LONG}9", None),
        (f"bytes=-{LONG}9", None),
        ("bytes=99-99", (99, 100)),
        ("bytes=98-99", (98, 100)),
        ("bytes=98-98", (98, 99)),
        ("bytes=-1", (99, 100)),
        ("bytes=5-4", None),
        ("bytes=5-5", (5, 6)),
    ],
)
def test_a_range_is_read_to_the_last_digit(header: str, expected: tuple[int, int] | None) -> None:
    assert requested_range(header, 100) == expected


@pytest.mark.parametrize("header", [f"bytes={LONG}-", "bytes=100-", "bytes=-0"])
def test_a_range_that_begins_at_the_end_is_beyond_it(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as raised:
        requested_range(header, 100)
    assert raised.value.data == {"size": 100}


def test_a_tag_overrules_a_date_in_both_directions() -> None:
    late, early = "Tue, 14 Nov 2033 22:13:20 GMT", "Tue, 14 Nov 2003 22:13:20 GMT"
    modified_ns = 1_700_000_000 * 10**9
    assert is_not_modified(Conditions('"a"', early, None), '"a"', modified_ns)
    assert not is_not_modified(Conditions('"b"', late, None), '"a"', modified_ns)
    assert is_not_modified(Conditions(None, late, None), '"a"', modified_ns)
    assert not is_not_modified(Conditions(None, None, None), '"a"', modified_ns)


@pytest.mark.parametrize(
    ("text", "expected"), [(None, 7), ("1", 1), ("100", 100), ("0001", 1), ("0100", 100)]
)
def test_a_limit_is_read(text: str | None, expected: int) -> None:
    assert limit_of({} if text is None else {"limit": text}, 7, 100) == expected


@pytest.mark.parametrize("text", ["0", "101", "00001", "", "-1", "+1", "1.0", "\u0661"])
def test_another_limit_is_refused(text: str) -> None:
    with pytest.raises(InvalidParams, match="from 1 to 100"):
        limit_of({"limit": text}, 7, 100)


@pytest.mark.parametrize("length", [MAX_HEADER_CHARACTERS, MAX_HEADER_CHARACTERS + 1])
def test_a_long_header_is_read_whether_it_is_remembered_or_not(length: int) -> None:
    assert negotiate("text/markdown".rjust(length), None, None, "text/markdown") == Form.RAW
    assert negotiate("application/json", "gzip".rjust(length), None, "text/markdown") == Form.JSON_GZIP


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("text/markdown;q=0.5, application/json;q=0.5", Form.JSON),
        ("text/markdown;q=0.51, application/json;q=0.5", Form.RAW),
        ("text/markdown;q=1, application/json;q=0", Form.RAW),
        ("text/markdown;q=1.1", None),
        ("text/markdown;q=-0.1", None),
        ("text/markdown;q=0.001", Form.RAW),
        ("text/markdown;q=0", None),
    ],
)
def test_qualities_are_compared_exactly(accept: str, form: Form | None) -> None:
    if form is None:
        with pytest.raises(NotAcceptable):
            negotiate(accept, None, None, "text/markdown")
    else:
        assert negotiate(accept, None, None, "text/markdown") == form


@pytest.mark.parametrize(
    ("accept_encoding", "form"),
    [
        ("gzip;q=0.5, identity;q=0.5", Form.RAW_GZIP),
        ("gzip;q=0.4, identity;q=0.5", Form.RAW),
        ("gzip;q=0.5, br;q=0.5", Form.RAW_BR),
        ("gzip;q=0.6, br;q=0.5", Form.RAW_GZIP),
        ("*;q=0.1", Form.RAW_ZSTD),
        ("*, zstd;q=0", Form.RAW_BR),
        ("gzip;q=0", Form.RAW),
    ],
)
def test_codings_are_compared_exactly(accept_encoding: str, form: Form) -> None:
    assert negotiate("text/markdown", accept_encoding, None, "text/markdown") == form


@pytest.mark.parametrize(("excess", "status"), [(0, 200), (1, 400)])
async def test_a_search_has_exactly_as_many_bytes_as_are_allowed(
    served: Served, excess: int, status: int
) -> None:
    query = "q=core&x="
    query += "y" * (MAX_QUERY_BYTES - len(query) + excess)
    assert (await served.get(f"/mcp/search?{query}")).status_code == status
