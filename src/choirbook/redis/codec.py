"""Serialization of representations for the shared level, and validation of values read from it. Pure.

Data only, never a pickle, behind a seal (`signatures`). Redis holds bytes and their metadata; response
headers are made from the catalog, so nothing in Redis decides the media type of a document.

The payload is msgpack: [ETag, digest of the document, whether it is text, whether it is coded, body].
"""

from __future__ import annotations

import re

import msgspec

from choirbook.documents.content_codings import Coding
from choirbook.documents.rendering import CODED_FORMS, Stamp, headers_of, longest_body
from choirbook.model import X_CACHE, Form, Representation, ResourceInfo, ServedFrom
from choirbook.redis.signatures import Corrupt, Purpose, Signer

__all__ = ["Corrupt", "RepresentationCodec"]

_ETAG = re.compile(r'"[0-9a-z+]{1,80}"')
_DIGEST = re.compile(r"[0-9a-f]{64}")


class _Payload(msgspec.Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    etag: str
    digest: str
    is_text: bool
    is_coded: bool
    body: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Payload)


class RepresentationCodec:
    """Serializes and parses the values of one library.

    Args:
        signer: Signs and verifies them.
        stamp: Added to responses beside the documents.
    """

    def __init__(self, signer: Signer, stamp: Stamp) -> None:
        self._signer = signer
        self._stamp = stamp

    def pack(self, key: str, representation: Representation) -> bytes:
        """Serialize a representation as the value of a key."""
        headers = dict(representation.headers)
        payload = _Payload(
            representation.etag,
            representation.digest,
            "charset=" in headers.get("content-type", ""),
            "content-encoding" in headers,
            representation.body,
        )
        return self._signer.seal(Purpose.VALUE, key, _encoder.encode(payload))

    def unpack(self, key: str, info: ResourceInfo, form: Form, value: bytes) -> Representation:
        """Parse the value of a key.

        Args:
            key: Key of the value.
            info: Catalog entry of the resource.
            form: Form in the key.
            value: Bytes from Redis.

        Raises:
            Unverified: It is not signed, or not for this key.
            Corrupt: It is not this form of this resource; the text shows nothing of the value.
        """
        payload = self._signer.open(Purpose.VALUE, key, value)
        try:
            found = _decoder.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Corrupt("it is not a representation") from error
        _check(found, info, form)
        headers = headers_of(
            info, form, found.etag, self._stamp, is_text=found.is_text, is_coded=found.is_coded
        )
        hit_headers = [*headers, X_CACHE[ServedFrom.HIT]] if headers else []
        return Representation(found.body, found.etag, headers, found.digest, hit_headers)


def _check(found: _Payload, info: ResourceInfo, form: Form) -> None:
    """Reject values that `render` could not have made: without a secret, a seal does not prove the writer."""
    if not (_ETAG.fullmatch(found.etag) and _DIGEST.fullmatch(found.digest)):
        raise Corrupt("it has no validator")
    coding: Coding | None = CODED_FORMS[form][1] if form in CODED_FORMS else None
    if found.is_coded and coding is None:
        raise Corrupt("it has a coding that its form does not have")
    length, longest = len(found.body), longest_body(info, form)
    # A coding is used only if it saves something.
    if length > longest - found.is_coded:
        raise Corrupt("it is longer than its document allows")
    is_raw = form is Form.RAW or (coding is not None and CODED_FORMS[form][0] is Form.RAW)
    if is_raw and not found.is_coded and length != info.size:
        raise Corrupt("its length differs from the document's")
