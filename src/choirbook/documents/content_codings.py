"""Content codings and compression. Pure.

Compression runs once per (resource, version) and is kept, so levels favour size over speed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from enum import StrEnum

MIN_BYTES = 1024
"""Minimum size to compress, in bytes: below it the saving fits into the packet that is sent anyway."""


class Coding(StrEnum):
    """Content codings (RFC 9110, section 8.4.1), in order of preference if the client has none."""

    ZSTD = "zstd"
    BR = "br"
    GZIP = "gzip"


def compress(data: bytes, coding: Coding) -> bytes:
    """Compress bytes with a coding; deterministic, so that strong ETags hold."""
    return _COMPRESSORS[coding](data)


class TooLong(Exception):
    """Compressed data that is longer than allowed, or invalid in its coding."""


def decompress(data: bytes, coding: Coding, max_bytes: int) -> bytes:
    """Decompress bytes that `compress` returned.

    Args:
        data: Compressed bytes.
        coding: Coding of the data.
        max_bytes: Maximum length of the result. At most this and one buffer is ever allocated.

    Raises:
        TooLong: The result is longer, or the data is damaged.
    """
    try:
        found = _DECOMPRESSORS[coding](data, max_bytes + 1)
    except _ERRORS[coding]() as error:
        raise TooLong(f"it is not {coding.value}") from error
    if len(found) > max_bytes:
        raise TooLong(f"it expands to more than {max_bytes} bytes")
    return found


def _zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=12, write_content_size=True).compress(data)


def _brotli(data: bytes) -> bytes:
    import brotli  # type: ignore[import-untyped]

    return bytes(brotli.compress(data, quality=7))


def _gzip(data: bytes) -> bytes:
    # wbits 31 selects the gzip container; zlib writes no time into it, unlike gzip.compress.
    compressor = zlib.compressobj(level=8, wbits=31)
    return compressor.compress(data) + compressor.flush()


_COMPRESSORS: dict[Coding, Callable[[bytes], bytes]] = {
    Coding.ZSTD: _zstd,
    Coding.BR: _brotli,
    Coding.GZIP: _gzip,
}


_WINDOW_BYTES = 8 * 1024 * 1024
"""Maximum window that `compress` uses, in bytes. A frame may claim 2 GiB, which would be allocated before any
byte arrives."""


def _from_zstd(data: bytes, limit: int) -> bytes:
    import zstandard

    # Unlike `decompress`, a reader allocates nothing for the size that a frame claims to have.
    with zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES).stream_reader(data) as reader:
        return reader.read(limit)


def _from_brotli(data: bytes, limit: int) -> bytes:
    import brotli

    decompressor = brotli.Decompressor()
    found = bytes(decompressor.process(data, output_buffer_limit=limit))
    # The buffer may end early even if there is room: it grows by blocks.
    while len(found) < limit and not decompressor.is_finished():
        more = bytes(decompressor.process(b"", output_buffer_limit=limit - len(found)))
        if not more:
            break
        found += more
    return found


def _from_gzip(data: bytes, limit: int) -> bytes:
    return zlib.decompressobj(wbits=31).decompress(data, limit)


_DECOMPRESSORS: dict[Coding, Callable[[bytes, int], bytes]] = {
    Coding.ZSTD: _from_zstd,
    Coding.BR: _from_brotli,
    Coding.GZIP: _from_gzip,
}


def _zstd_error() -> type[Exception]:
    import zstandard

    return zstandard.ZstdError


def _brotli_error() -> type[Exception]:
    import brotli

    error: type[Exception] = brotli.error
    return error


_ERRORS: dict[Coding, Callable[[], type[Exception]]] = {
    Coding.ZSTD: _zstd_error,
    Coding.BR: _brotli_error,
    Coding.GZIP: lambda: zlib.error,
}
