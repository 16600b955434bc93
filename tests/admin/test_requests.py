import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.admin.requests import MAX_WAIT_S, StatsRequest, WarmRequest, decode, scope_of
from choirbook.errors import InvalidParams, ParseFailed
from choirbook.model import Invalidation

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    ("body", "scope"),
    [
        (b'{"uri":"mcp://resources/x"}', Invalidation(uri="mcp://resources/x")),
        (b'{"type":"pattern"}', Invalidation(type="pattern")),
        (b'{"all":true}', Invalidation()),
        (b'{"all":true,"uri":null}', Invalidation()),
    ],
)
def test_one_thing_is_to_be_forgotten(body: bytes, scope: Invalidation) -> None:
    assert scope_of(body) == scope


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"all":false}', b'{"all":true,"type":"x"}', b'{"uri":"x","type":"x"}']
)
def test_none_or_several_are_refused_with_those_there_are(body: bytes) -> None:
    with pytest.raises(InvalidParams, match=r'"uri".*"type".*"all"'):
        scope_of(body)


@pytest.mark.parametrize("body", [b'{"url":"x"}', b'{"uri":1}', b"[]", b"null", b'{"all":1}', b'"uri"'])
def test_what_is_not_a_scope_is_refused_with_the_reason(body: bytes) -> None:
    with pytest.raises(InvalidParams, match="is invalid"):
        scope_of(body)


@pytest.mark.parametrize("body", [b"{", b"\xff", b"uri=x", b"[" * 10_000, b'{"uri":"\xff"}', b"{}{}"])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises((ParseFailed, InvalidParams)):
        scope_of(body)


def test_a_refusal_is_short_however_long_what_it_quotes() -> None:
    with pytest.raises(InvalidParams) as caught:
        scope_of(b'{"' + b"x" * 10_000 + b'":1}')
    assert len(caught.value.message) < 300


def test_an_empty_body_asks_for_the_usual() -> None:
    assert decode(b"", WarmRequest) == WarmRequest()
    assert decode(b"", StatsRequest) == StatsRequest()


@pytest.mark.parametrize("seconds", [-1, MAX_WAIT_S + 1, "5", None])
def test_a_wait_out_of_range_is_refused(seconds: object) -> None:
    with pytest.raises(InvalidParams, match="waitSeconds"):
        decode(json.dumps({"waitSeconds": seconds}).encode(), WarmRequest)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_scope_or_refused(body: bytes) -> None:
    try:
        scope_of(body)
    except (ParseFailed, InvalidParams) as error:
        assert error.message.endswith((".", "}"))  # noqa: PT017 - what the refusal says
