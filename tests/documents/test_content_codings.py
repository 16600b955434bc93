import contextlib
import gzip
import re
import zlib
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from choirbook.documents import content_codings as encodings
from choirbook.documents.content_codings import Coding, TooLong, compress


def decompress(data: bytes, coding: Coding) -> bytes:
    """Decode with the libraries that clients use."""
    match coding:
        case Coding.GZIP:
            return gzip.decompress(data)
        case Coding.BR:
            return bytes(brotli.decompress(data))
        case Coding.ZSTD:
            return zstandard.ZstdDecompressor().decompress(data)


@given(st.binary(max_size=5000), st.sampled_from(Coding))
def test_every_coding_decodes_to_the_same_bytes(data: bytes, coding: Coding) -> None:
    assert decompress(compress(data, coding), coding) == data


@given(st.binary(max_size=1000), st.sampled_from(Coding))
def test_the_same_bytes_are_compressed_to_the_same_bytes(data: bytes, coding: Coding) -> None:
    assert compress(data, coding) == compress(data, coding)


@pytest.mark.parametrize("coding", Coding)
def test_text_gets_smaller(coding: Coding) -> None:
    text = b"the same line again\n" * 200
    assert len(compress(text, coding)) < len(text) / 10


@given(st.binary(max_size=5000), st.sampled_from(Coding))
def test_every_coding_is_undone(data: bytes, coding: Coding) -> None:
    assert encodings.decompress(compress(data, coding), coding, len(data)) == data


@given(st.binary(min_size=1, max_size=5000), st.sampled_from(Coding))
def test_one_byte_more_than_expected_is_refused(data: bytes, coding: Coding) -> None:
    with pytest.raises(TooLong):
        encodings.decompress(compress(data, coding), coding, len(data) - 1)


@given(st.binary(max_size=200), st.sampled_from(Coding))
def test_damaged_bytes_are_refused_or_short(data: bytes, coding: Coding) -> None:
    with contextlib.suppress(TooLong):
        assert len(encodings.decompress(data, coding, 100)) <= 100


BOMB_BYTES = 200 * 1024 * 1024


def bomb(coding: Coding) -> bytes:
    """Return little that expands to much; of zstd one that claims a window as large."""
    zeros = bytes(1024 * 1024)
    count = BOMB_BYTES // len(zeros)
    match coding:
        case Coding.GZIP:
            deflate = zlib.compressobj(level=9, wbits=31)
            return b"".join([deflate.compress(zeros) for _ in range(count)]) + deflate.flush()
        case Coding.BR:
            brotlier = brotli.Compressor(quality=5)
            return bytes(b"".join([brotlier.process(zeros) for _ in range(count)]) + brotlier.finish())
        case Coding.ZSTD:
            zstdier = zstandard.ZstdCompressor(level=3).compressobj(size=BOMB_BYTES)
            return b"".join([zstdier.compress(zeros) for _ in range(count)]) + zstdier.flush()


@pytest.mark.parametrize("coding", Coding)
def test_bomb_takes_no_more_memory_than_what_is_expected(coding: Coding) -> None:
    data = bomb(coding)
    assert len(data) < BOMB_BYTES / 500
    # Has the system forget the peak of the tests before (proc(5)).
    Path("/proc/self/clear_refs").write_text("5")
    before_kib = peak_kib()
    with pytest.raises(TooLong):
        encodings.decompress(data, coding, 20_000)
    assert (peak_kib() - before_kib) * 1024 < BOMB_BYTES / 8


def peak_kib() -> int:
    (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(line)
