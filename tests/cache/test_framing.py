import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.cache.framing import HEAD_BYTES, Corrupt, pack, unpack
from carrel.model import Header, Representation

KEY = "carrel:team:resource:pattern:patterns/core:1.2:raw"
HEADERS = [("content-type", "text/markdown; charset=utf-8"), ("etag", '"abc+gzip"')]


def representation(
    body: bytes = b"text", headers: list[Header] | None = None, etag: str = '"abc"', digest: str = "0" * 64
) -> Representation:
    return Representation(body, etag, HEADERS if headers is None else headers, digest, [])


@given(body=st.binary(), key=st.text())
def test_what_was_packed_comes_back(body: bytes, key: str) -> None:
    found = unpack(key, pack(key, representation(body)))
    assert (found.body, found.etag, found.headers) == (body, '"abc"', HEADERS)
    assert found.hit_headers == [*HEADERS, ("x-cache", "hit")]


def test_a_form_without_headers_has_none_for_hits_either() -> None:
    assert unpack(KEY, pack(KEY, representation(headers=[]))).hit_headers == []


@given(value=st.binary(max_size=300))
def test_any_bytes_are_refused(value: bytes) -> None:
    with pytest.raises(Corrupt):
        unpack(KEY, value)


@given(data=st.data())
def test_a_flipped_bit_is_noticed_wherever_it_is(data: st.DataObject) -> None:
    value = bytearray(pack(KEY, representation(b"a body of some length")))
    bit = data.draw(st.integers(0, len(value) * 8 - 1))
    value[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Corrupt):
        unpack(KEY, bytes(value))


@given(length=st.integers(0, HEAD_BYTES + 100))
def test_a_value_that_was_cut_or_grew_is_refused(length: int) -> None:
    value = pack(KEY, representation())
    with pytest.raises(Corrupt):
        unpack(KEY, value[:length] if length < len(value) else value + b"\0")


def test_the_value_of_another_key_is_refused() -> None:
    with pytest.raises(Corrupt, match="of another key"):
        unpack(KEY, pack(f"{KEY}+gzip", representation()))


@pytest.mark.parametrize(
    "hostile",
    [
        representation(headers=[("set-cookie", "a=b")]),
        representation(headers=[("etag", '"a"\r\nset-cookie: a=b')]),
        representation(headers=[("vary", "naïve")]),
        representation(etag="plain"),
        representation(etag='"a"\r\nx: y'),
        representation(digest="short"),
    ],
)
def test_a_well_framed_value_that_would_do_harm_in_a_response_is_refused(hostile: Representation) -> None:
    with pytest.raises(Corrupt):
        unpack(KEY, pack(KEY, hostile))


@pytest.mark.parametrize("payload", [None, [], {}, [1, 2, 3, 4], ['"a"', [["etag"]], "0" * 64, b""]])
def test_a_well_framed_value_of_another_shape_is_refused(payload: object) -> None:
    frame = pack(KEY, representation())
    inner = msgspec.msgpack.encode(payload)
    head = frame[:24] + len(inner).to_bytes(4, "big") + hashlib.sha256(inner).digest()
    with pytest.raises(Corrupt, match="not a representation"):
        unpack(KEY, head + inner)
