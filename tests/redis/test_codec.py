"""Validation of values from Redis: only what `render` makes of the document in the catalog is accepted."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.documents.rendering import Stamp, render
from choirbook.model import Content, Form, Header, Representation, ResourceInfo, SourceEntry, Version
from choirbook.redis.codec import Corrupt, RepresentationCodec
from choirbook.redis.signatures import Purpose, Signer, Unverified

KEY = "choirbook:team:resource:pattern:patterns/core:1.2:raw"
STAMP = Stamp(1000, {"name": "choirbook", "version": "1"})
SEALING = Signer(["0123456789abcdef" * 2])
FRAMING = RepresentationCodec(SEALING, STAMP)


def info(data: bytes, media_type: str = "text/markdown") -> ResourceInfo:
    uri = "mcp://resources/a"
    return ResourceInfo(uri, uri, "a.md", "a", "A", "", "file", media_type, len(data), 5, Version("1"))


def rendered(data: bytes, form: Form, media_type: str = "text/markdown") -> Representation:
    of = info(data, media_type)
    return render(of, Content(data, SourceEntry("a.md", of.version, len(data), 5)), form, STAMP)


def forged(*payload: Any) -> bytes:
    """Return a value that holders of the secret could have written, as hosts without a secret all do."""
    return SEALING.seal(Purpose.VALUE, KEY, msgspec.msgpack.encode(payload))


documents = st.one_of(
    st.text(max_size=200).map(str.encode),
    st.binary(max_size=200),
    st.binary(max_size=20).map(lambda data: data * 200),
)


@given(data=documents, media_type=st.sampled_from(["text/markdown", "text/html", "image/png"]))
@pytest.mark.parametrize("form", list(Form))
def test_what_was_packed_comes_back_with_its_headers(form: Form, data: bytes, media_type: str) -> None:
    made = rendered(data, form, media_type)
    assert FRAMING.unpack(KEY, info(data, media_type), form, FRAMING.pack(KEY, made)) == made


def test_media_type_is_that_of_the_catalog_whatever_redis_says() -> None:
    page = rendered(b"<script>alert(1)</script>", Form.RAW, "text/html")
    found = FRAMING.unpack(KEY, info(page.body), Form.RAW, FRAMING.pack(KEY, page))
    assert dict(found.headers)["content-type"] == "text/markdown; charset=utf-8"
    assert dict(found.hit_headers)["content-type"] == "text/markdown; charset=utf-8"


def test_value_of_another_key_is_refused() -> None:
    value = FRAMING.pack(f"{KEY}+gzip", rendered(b"text", Form.RAW))
    with pytest.raises(Unverified):
        FRAMING.unpack(KEY, info(b"text"), Form.RAW, value)


TAG, DIGEST = '"abc"', "0" * 64


@pytest.mark.parametrize(
    ("form", "payload"),
    [
        (Form.RAW, ("plain", DIGEST, True, False, b"text")),
        (Form.RAW, ('"a"\r\nx: y', DIGEST, True, False, b"text")),
        (Form.RAW, (f'"{"a" * 100}"', DIGEST, True, False, b"text")),
        (Form.RAW, (TAG, "short", True, False, b"text")),
        (Form.RAW, (TAG, DIGEST, True, False, b"longer")),
        (Form.RAW, (TAG, DIGEST, True, False, b"")),
        (Form.RAW, (TAG, DIGEST, True, True, b"tex")),
        (Form.RAW_GZIP, (TAG, DIGEST, True, True, b"text")),
        (Form.RAW_GZIP, (TAG, DIGEST, True, False, b"tex")),
        (Form.JSON, (TAG, DIGEST, True, False, b"x" * 100_000)),
        (Form.MCP_MODERN, (TAG, DIGEST, True, False, b"x" * 100_000)),
        (Form.JSON_ZSTD, (TAG, DIGEST, True, True, b"x" * 100_000)),
        (Form.RAW, ()),
        (Form.RAW, (TAG, DIGEST, True, False)),
        (Form.RAW, (TAG, DIGEST, True, False, b"text", "more")),
        (Form.RAW, (TAG, DIGEST, "yes", False, b"text")),
        (Form.RAW, (TAG, DIGEST, True, False, "text")),
    ],
)
def test_sealed_value_that_no_rendering_makes_is_refused(form: Form, payload: tuple[Any, ...]) -> None:
    with pytest.raises(Corrupt):
        FRAMING.unpack(KEY, info(b"text"), form, forged(*payload))


@pytest.mark.parametrize("payload", [None, {}, "text", [["etag", "x"]]])
def test_sealed_value_of_another_shape_is_refused(payload: object) -> None:
    value = SEALING.seal(Purpose.VALUE, KEY, msgspec.msgpack.encode(payload))
    with pytest.raises(Corrupt, match="not a representation"):
        FRAMING.unpack(KEY, info(b"text"), Form.RAW, value)


def test_no_header_of_a_representation_is_written() -> None:
    headers: list[Header] = [("content-type", "text/plain; charset=utf-8"), ("set-cookie", "a=b")]
    value = FRAMING.pack(KEY, Representation(b"text", TAG, headers, DIGEST, []))
    assert b"set-cookie" not in value
    assert b"text/plain" not in value
