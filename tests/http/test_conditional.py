import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.errors import RangeNotSatisfiable
from choirbook.http.conditional import MAX_DIGITS, matches, range_applies, requested_range, unmodified_since

ETAG = '"abc"'


@pytest.mark.parametrize(
    ("header", "etag", "matched"),
    [
        ('"abc"', ETAG, True),
        ('W/"abc"', ETAG, True),
        ("*", ETAG, True),
        (" * ", ETAG, True),
        ('"x", "abc"', ETAG, True),
        ('"x","y" , W/"abc"', ETAG, True),
        ('"abc+gzip"', ETAG, True),
        ('"abc"', '"abc+br"', True),
        ('"abc+gzip"', '"abc+br"', True),
        ('"x"', ETAG, False),
        ('"ab"', ETAG, False),
        ('"abcd"', ETAG, False),
        ("abc", ETAG, False),
        ('"abc', ETAG, False),
        ("", ETAG, False),
        ('"a,b"', ETAG, False),
    ],
)
def test_a_tag_matches(header: str, etag: str, matched: bool) -> None:  # noqa: FBT001
    assert matches(header, etag) is matched


@pytest.mark.parametrize(
    ("date", "unmodified"),
    [
        ("Tue, 14 Nov 2023 22:13:20 GMT", True),
        ("Tue, 14 Nov 2023 22:13:21 GMT", True),
        ("Tue, 14 Nov 2023 22:13:19 GMT", False),
        ("Tuesday, 14-Nov-23 22:13:20 GMT", True),
        ("Tue, 14 Nov 99999 22:13:20 GMT", False),
        ("Tue, 99 Nov 2023 22:13:20 GMT", False),
        ("yesterday", False),
        ("", False),
        ("1", False),
    ],
)
def test_a_document_is_unmodified_since(date: str, unmodified: bool) -> None:  # noqa: FBT001
    assert unmodified_since(date, 1_700_000_000_999_999_999) is unmodified


@given(st.text())
def test_any_text_is_a_date_or_none(text: str) -> None:
    assert unmodified_since(text, 0) in {True, False}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-", (0, 100)),
        ("bytes=10-19", (10, 20)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=99-99", (99, 100)),
        ("bytes=-1", (99, 100)),
        ("bytes=-100", (0, 100)),
        ("bytes=-1000", (0, 100)),
        ("BYTES = 1 - 2 ", (1, 3)),
        ("bytes=2-1", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("bytes=a-b", None),
        ("bytes=0x1-2", None),
        ("bytes=+1-2", None),
        ("bytes", None),
        ("lines=0-1", None),
        ("", None),
        ("bytes=" + "9" * (MAX_DIGITS + 1) + "-", None),
    ],
)
def test_a_range_is(header: str, expected: tuple[int, int] | None) -> None:
    assert requested_range(header, 100) == expected


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=100-", 100), ("bytes=100-200", 100), ("bytes=-0", 100), ("bytes=0-0", 0)]
)
def test_a_range_beyond_the_end_cannot_be_satisfied(header: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        requested_range(header, size)
    assert caught.value.data == {"size": size}


bounds = st.one_of(st.just(""), st.integers(0, 300).map(str), st.just("9" * 30))


@given(bounds, bounds, st.integers(0, 200))
def test_a_range_lies_within_the_document(first: str, last: str, size: int) -> None:
    try:
        found = requested_range(f"bytes={first}-{last}", size)
    except RangeNotSatisfiable:
        assert size == 0 or last == "0" or (first and int(first) >= size)
        return
    if found is None:
        return
    start, end = found
    data = bytes(number % 256 for number in range(size))
    assert 0 <= start < end <= size
    if first:
        assert data[start:end] == data[int(first) : int(last) + 1 if last else None]
    else:
        assert data[start:end] == data[-int(last) :]


@given(st.text(), st.integers(0, 100))
def test_any_text_is_a_range_or_none(header: str, size: int) -> None:
    try:
        found = requested_range(header, size)
    except RangeNotSatisfiable:
        return
    assert found is None or 0 <= found[0] < found[1] <= size


DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.mark.parametrize(
    ("if_range", "applies"),
    [
        (None, True),
        (ETAG, True),
        (f" {ETAG} ", True),
        (DATE, True),
        ('"x"', False),
        (f"W/{ETAG}", False),
        ("", False),
    ],
)
def test_a_range_applies_to_the_copy_that_the_client_has(if_range: str | None, applies: bool) -> None:  # noqa: FBT001
    assert range_applies(if_range, ETAG, DATE) is applies
