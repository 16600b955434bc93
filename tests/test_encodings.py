import gzip

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from carrel.encodings import Coding, compress


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
