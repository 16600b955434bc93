"""Content codings: which ones there are, and how bytes are compressed. Pure.

Compression runs once per (resource, version) and is kept, so levels lean towards size.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from enum import StrEnum

MIN_BYTES = 1024
"""Below this the saved bytes fit in the packet that is sent anyway."""


class Coding(StrEnum):
    """Content codings (RFC 9110, section 8.4.1), in the order in which equal wishes are met."""

    ZSTD = "zstd"
    BR = "br"
    GZIP = "gzip"


def compress(data: bytes, coding: Coding) -> bytes:
    """Return the bytes under a coding; the same bytes each time, so that strong ETags hold."""
    return _COMPRESSORS[coding](data)


def decompress(data: bytes, coding: Coding) -> bytes:
    """Return the bytes that `compress` was given. For what Carrel made itself: nothing bounds the result."""
    return _DECOMPRESSORS[coding](data)


def _zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=12, write_content_size=True).compress(data)


def _brotli(data: bytes) -> bytes:
    import brotli  # type: ignore[import-untyped]

    return bytes(brotli.compress(data, quality=7))


def _gzip(data: bytes) -> bytes:
    # wbits 31 is the gzip container; zlib writes no time into it, gzip.compress would.
    compressor = zlib.compressobj(level=8, wbits=31)
    return compressor.compress(data) + compressor.flush()


_COMPRESSORS: dict[Coding, Callable[[bytes], bytes]] = {
    Coding.ZSTD: _zstd,
    Coding.BR: _brotli,
    Coding.GZIP: _gzip,
}


def _from_zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdDecompressor().decompress(data)


def _from_brotli(data: bytes) -> bytes:
    import brotli

    return bytes(brotli.decompress(data))


def _from_gzip(data: bytes) -> bytes:
    return zlib.decompress(data, wbits=31)


_DECOMPRESSORS: dict[Coding, Callable[[bytes], bytes]] = {
    Coding.ZSTD: _from_zstd,
    Coding.BR: _from_brotli,
    Coding.GZIP: _from_gzip,
}
