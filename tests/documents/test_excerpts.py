import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.documents.excerpts import (
    MAX_PART_BYTES,
    check_continuation,
    decode_continuation,
    encode_continuation,
    end_of_part,
    part_members,
)
from choirbook.errors import InvalidCursor
from choirbook.model import ResourceInfo, Version

URI = "mcp://resources/files/a.md"
DIGEST = sha256(b"").hexdigest()
texts = st.text(st.sampled_from("ab \n\réß€😀")) | st.text()


def info(size: int, media_type: str = "text/markdown") -> ResourceInfo:
    return ResourceInfo(
        URI, URI, "a.md", "files/a.md", "A", "About A.", "file", media_type, size, 0, Version("1")
    )


def result(data: bytes, start: int = 0, max_bytes: int = MAX_PART_BYTES, **kind: str) -> dict[str, Any]:
    """Return the part of a document as the result that is sent."""
    members = part_members(info(len(data), **kind), data, sha256(data).hexdigest(), start, max_bytes)
    found: dict[str, Any] = json.loads(b"{" + members + b"}")
    return found


@given(texts, st.integers(1, 40))
def test_parts_are_text_and_make_up_the_document(text: str, max_bytes: int) -> None:
    data = text.encode("utf-8", "replace")
    parts, start = [], 0
    while start < len(data):
        end = end_of_part(data, start, max_bytes)
        assert start < end <= len(data)
        parts.append(data[start:end].decode("utf-8"))
        assert end - start <= max(max_bytes, 4)
        start = end
    assert "".join(parts).encode() == data


@given(texts, st.integers(1, 40))
def test_a_part_ends_with_a_line_where_one_ends_in_it(text: str, max_bytes: int) -> None:
    data = text.encode("utf-8", "replace")
    end = end_of_part(data, 0, max_bytes)
    assert end == len(data) or data[end - 1 : end] == b"\n" or b"\n" not in data[:max_bytes]


def test_a_line_that_is_longer_than_a_part_is_cut_between_characters() -> None:
    data = "€€€".encode()
    assert end_of_part(data, 0, 4) == 3
    assert end_of_part(data, 0, 1) == 3
    assert end_of_part(data, 3, 6) == 9


@given(st.integers(0, 2**40 - 1), st.binary(min_size=32, max_size=32))
def test_a_cursor_gives_back_what_went_in(start: int, digest: bytes) -> None:
    found = decode_continuation(encode_continuation(start, digest.hex()))
    assert found.start == start
    assert digest.startswith(found.digest)


@given(st.text(max_size=40) | st.binary(min_size=12, max_size=12).map(lambda data: data.hex()[:16]))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor, match="not issued by this server"):
        decode_continuation(text)


def test_a_cursor_is_for_one_version_of_one_document() -> None:
    data = b"one\ntwo\n"
    digest = sha256(data).hexdigest()
    cursor = decode_continuation(encode_continuation(4, digest))

    assert check_continuation(cursor, URI, data, digest) == 4
    with pytest.raises(InvalidCursor, match=r"has changed .* Start again"):
        check_continuation(cursor, URI, b"one\nTWO\n", sha256(b"one\nTWO\n").hexdigest())


@pytest.mark.parametrize("start", [1, 3, 2**40 - 1])
def test_a_cursor_to_where_no_part_begins_is_refused(start: int) -> None:
    data = "é\n".encode()
    digest = sha256(data).hexdigest()
    with pytest.raises(InvalidCursor, match="not issued by this server"):
        check_continuation(decode_continuation(encode_continuation(start, digest)), URI, data, digest)


def test_a_whole_document_is_in_the_text_and_in_the_structured_content() -> None:
    found = result(b"# A\n\nText.\n")
    text, link = found["content"]
    assert text == {"type": "text", "text": f"A\n{URI}\n11 bytes, about 3 tokens\n\n# A\n\nText.\n"}
    assert link == {
        "type": "resource_link",
        "uri": URI,
        "name": "files/a.md",
        "title": "A",
        "description": "About A.",
        "mimeType": "text/markdown",
        "size": 11,
    }
    assert found["structuredContent"] == {
        "uri": URI,
        "title": "A",
        "type": "file",
        "mimeType": "text/markdown",
        "size": 11,
        "tokens": 3,
        "text": "# A\n\nText.\n",
    }


def test_a_part_says_which_it_is_and_how_to_go_on() -> None:
    data = b"one\ntwo\nthree\n"
    first = result(data, 0, 10)
    structured = first["structuredContent"]
    assert (structured["start"], structured["end"], structured["text"]) == (0, 8, "one\ntwo\n")
    assert structured["nextCursor"] in first["content"][0]["text"]
    assert decode_continuation(structured["nextCursor"]).start == 8
    last = result(data, 8, 10)
    assert (last["structuredContent"]["start"], last["structuredContent"]["text"]) == (8, "three\n")
    assert "nextCursor" not in last["structuredContent"]
    assert "this part is from byte 8 to 14" in last["content"][0]["text"]


def test_a_document_that_is_longer_than_any_part_is_not_sent_whole() -> None:
    found = result(b"x" * (MAX_PART_BYTES + 1))
    assert found["structuredContent"]["end"] == MAX_PART_BYTES
    assert found["structuredContent"]["nextCursor"]


def test_an_empty_document_is_read() -> None:
    assert result(b"")["structuredContent"]["text"] == ""


def test_an_image_is_shown() -> None:
    found = result(b"\x89PNG", media_type="image/png")
    assert found["content"][1] == {"type": "image", "data": "iVBORw==", "mimeType": "image/png"}
    assert "text" not in found["structuredContent"]


@pytest.mark.parametrize("media_type", ["application/pdf", "text/plain"])
def test_what_is_neither_text_nor_image_is_linked_only(media_type: str) -> None:
    text, link = result(b"%PDF\xff", media_type=media_type)["content"]
    assert f"This document is {media_type}, not text" in text["text"]
    assert "/mcp/resources/files/a.md" in text["text"]
    assert link["type"] == "resource_link"
