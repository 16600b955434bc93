"""Documents over plain HTTP, under both servers."""

from __future__ import annotations

import gzip
import hashlib
from base64 import b64decode

import brotli  # type: ignore[import-untyped]
import httpx
import pytest
import zstandard

from tests.support.servers import DOCUMENTS, Server

CORE = "/mcp/resources/sdlc/core"
PATHS = {
    "sdlc-core.md": CORE,
    "python/patterns-core.md": "/mcp/resources/patterns/python/core",
    "go/patterns-core.md": "/mcp/resources/patterns/go/core",
    "templates/prd-template.xml": "/mcp/resources/templates/prd-template",
    "notes/read me.txt": "/mcp/resources/files/notes/read%20me.txt",
    "notes/naïve.txt": "/mcp/resources/files/notes/na%C3%AFve.txt",
    "images/logo.png": "/mcp/resources/files/images/logo.png",
}
DECODE = {
    "identity": bytes,
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompress(data),
}
TEXT = {"accept": "text/*"}


def raw_body(client: httpx.Client, path: str, **headers: str) -> tuple[httpx.Response, bytes]:
    """Return a response with its body as it was sent, codings and all."""
    with client.stream("GET", path, headers=headers) as response:
        return response, b"".join(response.iter_raw())


@pytest.mark.parametrize("document", PATHS)
def test_raw_form_is_the_file_itself(client: httpx.Client, document: str) -> None:
    response = client.get(PATHS[document], params={"format": "raw"})

    assert response.status_code == 200
    assert response.content == DOCUMENTS[document]


@pytest.mark.parametrize("document", PATHS)
def test_json_form_holds_the_file_and_describes_it(client: httpx.Client, document: str) -> None:
    response = client.get(PATHS[document])
    body, data = response.json(), DOCUMENTS[document]

    assert response.headers["content-type"] == "application/json"
    assert body["size"] == len(data)
    assert body["digest"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert body["etag"] == response.headers["etag"]
    content = body["content"].encode() if body["encoding"] == "utf-8" else b64decode(body["content"])
    assert content == data


def test_json_form_names_the_document(client: httpx.Client) -> None:
    body = client.get(CORE).json()

    assert {key: body[key] for key in ("uri", "name", "title", "description", "type", "mimeType")} == {
        "uri": "mcp://resources/sdlc/core",
        "name": "sdlc/core",
        "title": "How we work",
        "description": "From an idea to a release.",
        "type": "sdlc",
        "mimeType": "text/markdown",
    }


@pytest.mark.parametrize(
    ("document", "content_type"),
    [
        ("sdlc-core.md", "text/markdown; charset=utf-8"),
        ("templates/prd-template.xml", "application/xml; charset=utf-8"),
    ],
)
def test_accepting_text_gives_a_text_of_any_type(
    client: httpx.Client, document: str, content_type: str
) -> None:
    response = client.get(PATHS[document], headers=TEXT)

    assert response.headers["content-type"] == content_type
    assert response.content == DOCUMENTS[document]


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/mcp/resources/patterns/core", "python/patterns-core.md"),
        ("/mcp/resources/patterns/core?language=go", "go/patterns-core.md"),
        ("/mcp/resources/patterns/core?language=python", "python/patterns-core.md"),
    ],
)
def test_pattern_without_a_language_is_that_of_the_default_or_asked_one(
    client: httpx.Client, path: str, document: str
) -> None:
    assert client.get(path, headers=TEXT).content == DOCUMENTS[document]


@pytest.mark.parametrize(
    "headers", [{}, TEXT, {"accept-encoding": "gzip"}, {**TEXT, "accept-encoding": "br"}]
)
def test_head_has_the_headers_of_get_and_no_body(client: httpx.Client, headers: dict[str, str]) -> None:
    got, head = client.get(CORE, headers=headers), client.head(CORE, headers=headers)

    varying = {"date", "x-cache"}
    assert {k: v for k, v in head.headers.items() if k not in varying} == {
        k: v for k, v in got.headers.items() if k not in varying
    }
    assert head.status_code == 200
    assert head.content == b""


@pytest.mark.parametrize("headers", [{}, TEXT, {"accept-encoding": "gzip"}])
def test_known_entity_tag_gets_not_modified(client: httpx.Client, headers: dict[str, str]) -> None:
    first = client.get(CORE, headers=headers)

    again = client.get(CORE, headers={**headers, "if-none-match": first.headers["etag"]})

    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["vary"] == first.headers["vary"]


def test_entity_tag_of_another_form_is_not_known(client: httpx.Client) -> None:
    json_tag = client.get(CORE).headers["etag"]

    assert client.get(CORE, headers={**TEXT, "if-none-match": json_tag}).status_code == 200


def test_copy_as_new_as_the_document_gets_not_modified(client: httpx.Client) -> None:
    modified = client.get(CORE).headers["last-modified"]

    assert client.get(CORE, headers={"if-modified-since": modified}).status_code == 304
    assert client.get(CORE, headers={"if-modified-since": "Thu, 01 Jan 1970 00:00:00 GMT"}).status_code == 200
    assert client.get(CORE, headers={"if-modified-since": "yesterday"}).status_code == 200


@pytest.mark.parametrize(
    ("wanted", "part"),
    [("bytes=0-9", slice(0, 10)), ("bytes=10-", slice(10, None)), ("bytes=-5", slice(-5, None)),
     ("bytes=5-999999", slice(5, None))],
)  # fmt: skip
def test_range_of_a_raw_document_is_sent_alone(client: httpx.Client, wanted: str, part: slice) -> None:
    data = DOCUMENTS["sdlc-core.md"]

    response = client.get(CORE, headers={**TEXT, "range": wanted})

    assert response.status_code == 206
    assert response.content == data[part]
    first = part.indices(len(data))[0]
    last = first + len(data[part]) - 1
    assert response.headers["content-range"] == f"bytes {first}-{last}/{len(data)}"


def test_range_beyond_the_end_gets_the_size(client: httpx.Client) -> None:
    response = client.get(CORE, headers={**TEXT, "range": "bytes=999999-"})

    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{len(DOCUMENTS['sdlc-core.md'])}"


def test_range_of_an_older_copy_gets_the_whole_document(client: httpx.Client) -> None:
    response = client.get(CORE, headers={**TEXT, "range": "bytes=0-9", "if-range": '"older"'})

    assert response.status_code == 200
    assert response.content == DOCUMENTS["sdlc-core.md"]


@pytest.mark.parametrize("accept", ["text/*", "application/json"])
@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_coded_body_is_the_plain_one_made_smaller(client: httpx.Client, accept: str, coding: str) -> None:
    plain, plain_body = raw_body(client, CORE, accept=accept)
    coded, coded_body = raw_body(client, CORE, **{"accept": accept, "accept-encoding": coding})

    assert coded.headers["content-encoding"] == coding
    assert "content-encoding" not in plain.headers
    assert len(coded_body) < len(plain_body)
    assert DECODE[coding](coded_body) == plain_body
    assert coded.headers["etag"] != plain.headers["etag"]
    assert "accept-encoding" in coded.headers["vary"]
    assert int(coded.headers["content-length"]) == len(coded_body)


@pytest.mark.parametrize("document", ["notes/read me.txt", "images/logo.png"])
def test_short_and_binary_documents_are_sent_uncoded(client: httpx.Client, document: str) -> None:
    response, body = raw_body(
        client, f"{PATHS[document]}?format=raw", **{"accept-encoding": "gzip, br, zstd"}
    )

    assert "content-encoding" not in response.headers
    assert body == DOCUMENTS[document]


def test_first_read_of_a_form_is_a_miss_and_the_next_a_hit(cold: Server) -> None:
    with cold.client() as client:
        seen = [client.get(CORE, headers=headers).headers["x-cache"] for headers in ({}, {}, TEXT, TEXT)]

    assert seen == ["miss", "hit", "miss", "hit"]
