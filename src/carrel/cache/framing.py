"""How a representation is written into the shared level, and what is believed of what is read there. Pure.

Data only, never a pickle. Whoever can write to Redis can write any bytes under any key, and a broken
connection can answer with the value of another: a value counts when the format, the hash of its key,
its length and its digest are right and it has just the headers that Carrel makes.

    8 bytes   "carrel" and the version of the format
    16 bytes  hash of the key
    4 bytes   length of the payload, big-endian
    32 bytes  SHA-256 of the payload
    payload   msgpack: [ETag, headers, digest of the document, body]
"""

from __future__ import annotations

import hashlib
import re
import struct

import msgspec

from carrel.model import X_CACHE, Header, Representation, ServedFrom

FORMAT = 1

_HEAD = struct.Struct(">8s16sI32s")
HEAD_BYTES = _HEAD.size

_MAGIC = b"carrel" + FORMAT.to_bytes(2, "big")
_HEADERS = frozenset(
    {
        "accept-ranges",
        "cache-control",
        "content-encoding",
        "content-security-policy",
        "content-type",
        "cross-origin-resource-policy",
        "etag",
        "last-modified",
        "referrer-policy",
        "vary",
        "x-content-type-options",
    }
)
_HEADER_VALUE = re.compile(r"[ -~]*")
_ETAG = re.compile(r'"[0-9a-z+]+"')
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Corrupt(Exception):
    """A value that is not what was written under its key."""


class _Payload(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    etag: str
    headers: list[Header]
    digest: str
    body: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Payload)


def pack(key: str, representation: Representation) -> bytes:
    """Write a representation as the value of a key."""
    payload = _encoder.encode(
        _Payload(representation.etag, representation.headers, representation.digest, representation.body)
    )
    return _HEAD.pack(_MAGIC, _hash(key), len(payload), hashlib.sha256(payload).digest()) + payload


def unpack(key: str, value: bytes) -> Representation:
    """Read the value of a key.

    Raises:
        Corrupt: It is not what `pack` made for this key; the text says in what, and shows none of it.
    """
    if len(value) < HEAD_BYTES:
        raise Corrupt("shorter than a frame")
    magic, key_hash, length, digest = _HEAD.unpack_from(value)
    payload = memoryview(value)[HEAD_BYTES:]
    if magic != _MAGIC:
        raise Corrupt("of another format")
    if key_hash != _hash(key):
        raise Corrupt("of another key")
    if length != len(payload):
        raise Corrupt("of another length")
    if digest != hashlib.sha256(payload).digest():
        raise Corrupt("of another digest")
    try:
        found = _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupt("not a representation") from error
    _check(found)
    hit_headers = [*found.headers, X_CACHE[ServedFrom.HIT]] if found.headers else []
    return Representation(found.body, found.etag, found.headers, found.digest, hit_headers)


def _check(found: _Payload) -> None:
    """Refuse what would do harm in a response."""
    if not (_ETAG.fullmatch(found.etag) and _DIGEST.fullmatch(found.digest)):
        raise Corrupt("without a validator")
    for name, value in found.headers:
        if name not in _HEADERS or not _HEADER_VALUE.fullmatch(value):
            raise Corrupt("with a header that Carrel does not send")


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()[:16]
