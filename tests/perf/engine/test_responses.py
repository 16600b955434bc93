"""The engine's response parser: whatever the bytes are cut into, the same response."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook_perf.engine.responses import MAX_HEAD_BYTES, BadResponse, ResponseParser

bodies = st.binary(max_size=300)
cuts = st.lists(st.integers(1, 7), min_size=1, max_size=400)


def _parts(data: bytes, sizes: list[int]) -> list[bytes]:
    parts, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        parts.append(data[at : at + size])
        at, turn = at + size, turn + 1
    return parts


def _fed(parts: list[bytes]) -> ResponseParser:
    parser = ResponseParser()
    complete = [parser.feed(part) for part in parts]
    assert complete == [False] * (len(parts) - 1) + [True]
    return parser


def _with_length(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nX-Cache: HIT\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _chunked(pieces: list[bytes], trailer: bytes = b"") -> bytes:
    chunks = b"".join(b"%x;a=b\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n" + trailer + b"\r\n"


@given(bodies, cuts)
def test_a_body_of_a_known_length_is_read_however_it_is_cut(body: bytes, sizes: list[int]) -> None:
    parser = _fed(_parts(_with_length(body), sizes))
    assert (parser.head.status, parser.head.get("x-cache"), parser.body) == (200, "HIT", body)
    assert parser.keeps_alive()


@given(st.lists(bodies, max_size=5), cuts, st.sampled_from([b"", b"X-Sum: 1\r\n"]))
def test_chunks_are_joined_however_they_are_cut(
    pieces: list[bytes], sizes: list[int], trailer: bytes
) -> None:
    parser = _fed(_parts(_chunked(pieces, trailer), sizes))
    assert parser.body == b"".join(pieces)


@given(bodies, cuts)
def test_a_body_without_a_length_ends_with_the_connection(body: bytes, sizes: list[int]) -> None:
    parser = ResponseParser()
    for part in _parts(b"HTTP/1.1 200 OK\r\n\r\n" + body, sizes):
        assert not parser.feed(part)
    assert parser.finish()
    assert parser.body == body


@given(bodies, cuts)
def test_the_end_of_the_connection_completes_no_other_response(body: bytes, sizes: list[int]) -> None:
    parser = ResponseParser()
    data = _with_length(body + b"x")[:-1]
    for part in _parts(data, sizes):
        assert not parser.feed(part)
    assert not parser.finish()
    assert parser.has_begun()


def test_one_response_follows_the_other() -> None:
    parser = _fed([_with_length(b"one")])
    parser.next()
    assert parser.feed(_chunked([b"two"]))
    assert parser.body == b"two"


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_some_statuses_have_no_body(status: bytes) -> None:
    assert _fed([b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\n"]).body == b""


def test_an_interim_response_is_not_the_response() -> None:
    parser = _fed([b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + _with_length(b"body")])
    assert (parser.head.status, parser.body) == (200, b"body")


@pytest.mark.parametrize(
    ("head", "keeps"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n", False),
        (b"HTTP/1.1 200 OK\r\n", True),
        (b"HTTP/1.0 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", True),
    ],
)
def test_whether_the_connection_may_be_used_again(head: bytes, *, keeps: bool) -> None:
    assert _fed([head + b"Content-Length: 0\r\n\r\n"]).keeps_alive() is keeps


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-x\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a" * (MAX_HEAD_BYTES + 1),
    ],
)
def test_what_is_no_response_is_refused(data: bytes) -> None:
    with pytest.raises(BadResponse):
        ResponseParser().feed(data)


def test_bytes_after_a_response_are_refused() -> None:
    parser = _fed([_with_length(b"one")])
    with pytest.raises(BadResponse, match="no request"):
        parser.feed(b"HTTP/1.1 200 OK\r\n")


def test_a_stream_is_handed_on_in_parts_before_it_ends() -> None:
    parser = ResponseParser()
    data = _chunked([b"first", b"second", b"third"])
    seen = b""
    for part in _parts(data[: data.index(b"third") + 3], [3]):
        parser.feed(part)
        seen += b"".join(parser.new_parts())
    assert b"firstsecond".startswith(seen[:11])
    assert seen.startswith(b"firstsecond")
