import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.documents.content_codings import MIN_BYTES, Coding
from choirbook.documents.rendering import (
    CODING_FORMS,
    DOCUMENT_POLICY,
    Stamp,
    http_date,
    iso8601,
    modern_result,
    render,
)
from choirbook.model import Content, Form, Representation, ResourceInfo, SourceEntry, Version
from tests.documents.test_content_codings import decompress

STAMP = Stamp(1500, {"name": "choirbook", "version": "1"})
MODIFIED_NS = 1_700_000_000_123_456_789
URI = "mcp://resources/files/a.md"


def rendered(data: bytes, form: Form, *, media_type: str = "text/markdown", **changed: Any) -> Representation:
    entry = SourceEntry("a.md", Version("v1"), len(data), changed.pop("modified_ns", MODIFIED_NS))
    values: dict[str, Any] = {
        "uri": URI,
        "canonical_uri": URI,
        "path": "a.md",
        "name": "files/a.md",
        "title": "A",
        "description": "d",
        "type": "file",
        "media_type": media_type,
        "size": len(data),
        "modified_ns": entry.modified_ns,
        "version": entry.version,
    } | changed
    return render(ResourceInfo(**values), Content(data, entry), form, STAMP)


def test_the_raw_form_is_the_document_itself() -> None:
    data = "Käse\r\n".encode()
    found = rendered(data, Form.RAW)
    assert found.body == data
    assert found.digest == hashlib.sha256(data).hexdigest()
    assert dict(found.headers) == {
        "content-type": "text/markdown; charset=utf-8",
        "etag": found.etag,
        "last-modified": "Tue, 14 Nov 2023 22:13:20 GMT",
        "cache-control": "max-age=1, must-revalidate",
        "vary": "accept, accept-encoding, origin",
        "x-content-type-options": "nosniff",
        "accept-ranges": "bytes",
        **dict(DOCUMENT_POLICY),
    }


def meta(data: bytes) -> dict[str, object]:
    """Return what a read says of a document beside its text."""
    digest = hashlib.sha256(data).hexdigest()
    return {
        "dev.choirbook/tokens": -(-len(data) // 4),
        "dev.choirbook/etag": f'"{digest[:32]}"',
        "dev.choirbook/digest": f"sha256:{digest}",
    }


def test_the_envelope_tells_all_about_the_document() -> None:
    found = rendered(b"text", Form.JSON)
    assert json.loads(found.body) == {
        "uri": URI,
        "name": "files/a.md",
        "title": "A",
        "description": "d",
        "type": "file",
        "mimeType": "text/markdown",
        "size": 4,
        "tokens": 1,
        "digest": f"sha256:{hashlib.sha256(b'text').hexdigest()}",
        "etag": found.etag,
        "lastModified": "2023-11-14T22:13:20Z",
        "encoding": "utf-8",
        "content": "text",
    }
    assert dict(found.headers)["content-type"] == "application/json"


def test_an_alias_shows_the_canonical_uri_in_its_envelope_and_the_asked_one_in_mcp() -> None:
    alias = "mcp://resources/a"
    assert json.loads(rendered(b"t", Form.JSON, uri=alias).body)["uri"] == URI
    assert json.loads(rendered(b"t", Form.MCP_HANDSHAKE, uri=alias).body)["contents"][0]["uri"] == alias


@pytest.mark.parametrize(
    ("data", "media_type"),
    [(b"\xff\xfe", "text/plain"), (b"\0\x01", "application/octet-stream"), (b"text", "image/png")],
)
def test_what_is_not_text_travels_as_base64(data: bytes, media_type: str) -> None:
    encoded = base64.b64encode(data).decode()
    envelope = json.loads(rendered(data, Form.JSON, media_type=media_type).body)
    assert (envelope["encoding"], envelope["content"]) == ("base64", encoded)
    contents = json.loads(rendered(data, Form.MCP_MODERN, media_type=media_type).body)["contents"]
    assert contents == [{"uri": URI, "mimeType": media_type, "blob": encoded, "_meta": meta(data)}]
    assert dict(rendered(data, Form.RAW, media_type=media_type).headers)["content-type"] == media_type


def test_the_result_of_the_handshake_era_has_nothing_of_the_modern_one() -> None:
    assert json.loads(rendered(b"t", Form.MCP_HANDSHAKE).body) == {
        "contents": [{"uri": URI, "mimeType": "text/markdown", "text": "t", "_meta": meta(b"t")}]
    }


def test_the_result_of_the_modern_era_is_stamped() -> None:
    assert json.loads(rendered(b"t", Form.MCP_MODERN).body) == {
        "resultType": "complete",
        "contents": [{"uri": URI, "mimeType": "text/markdown", "text": "t", "_meta": meta(b"t")}],
        "ttlMs": 1500,
        "cacheScope": "public",
        "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "choirbook", "version": "1"}},
    }


def test_a_result_that_must_not_be_kept_says_nothing_of_caching() -> None:
    assert set(json.loads(modern_result(b'"a":1', STAMP, cacheable=False))) == {"resultType", "a", "_meta"}


@given(st.binary(max_size=300))
def test_any_bytes_survive_every_form(data: bytes) -> None:
    for media_type in ("text/plain", "image/png"):
        envelope = json.loads(rendered(data, Form.JSON, media_type=media_type).body)
        content = envelope["content"]
        assert (content.encode() if envelope["encoding"] == "utf-8" else base64.b64decode(content)) == data
        for form in (Form.MCP_HANDSHAKE, Form.MCP_MODERN):
            (item,) = json.loads(rendered(data, form, media_type=media_type).body)["contents"]
            assert (item["text"].encode() if "text" in item else base64.b64decode(item["blob"])) == data


TEXT = b"the same line again\n" * 200


@pytest.mark.parametrize(("plain", "coding"), CODING_FORMS)
def test_a_compressed_form_decodes_to_the_plain_one(plain: Form, coding: Coding) -> None:
    base, found = rendered(TEXT, plain), rendered(TEXT, CODING_FORMS[plain, coding])
    assert decompress(found.body, coding) == base.body
    assert len(found.body) < len(base.body)
    assert found.etag != base.etag
    assert dict(found.headers)["etag"] == found.etag
    assert dict(found.headers)["content-encoding"] == coding.value
    assert "accept-ranges" not in dict(found.headers)


@pytest.mark.parametrize(("plain", "coding"), CODING_FORMS)
def test_what_compression_does_not_make_smaller_is_sent_plain(plain: Form, coding: Coding) -> None:
    short = b"x" * 10
    assert rendered(short, CODING_FORMS[plain, coding]) == rendered(short, plain)
    noise = b"".join(hashlib.sha256(bytes([i])).digest() for i in range(MIN_BYTES // 32 + 1))
    if plain is Form.RAW:
        assert rendered(noise, CODING_FORMS[plain, coding]) == rendered(noise, plain)


def test_every_form_has_an_etag_of_its_own() -> None:
    forms = [Form.RAW, Form.JSON, *CODING_FORMS.values()]
    assert len({rendered(TEXT, form).etag for form in forms}) == len(forms)


@pytest.mark.parametrize("form", [Form.RAW, Form.JSON])
def test_an_etag_is_of_the_content_and_not_of_the_host(form: Form) -> None:
    here = rendered(TEXT, form)
    there = rendered(TEXT, form, modified_ns=MODIFIED_NS + 10**12, version=Version("another host's"))
    assert here.etag == there.etag
    assert here.etag != rendered(TEXT + b".", form).etag
    assert here.etag.startswith('"')
    assert here.etag.endswith('"')


def test_an_etag_of_the_envelope_changes_with_what_the_envelope_says() -> None:
    assert rendered(TEXT, Form.JSON).etag != rendered(TEXT, Form.JSON, title="B").etag
    assert rendered(TEXT, Form.RAW).etag == rendered(TEXT, Form.RAW, title="B").etag


@pytest.mark.parametrize("unix_ns", [0, -1, -(10**30), 10**30, 253402300800 * 10**9])
def test_every_time_of_a_file_can_be_spelled(unix_ns: int) -> None:
    assert http_date(unix_ns).endswith(" GMT")
    assert iso8601(unix_ns).endswith("Z")
