"""Recovery of a document from its forms: any cached form that is complete can make all others. Pure.

A form contains its document, plain, as text or in Base64; only an outline and the parts that the tool `read`
sends hold less. The result is compared with the digest of the document.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from hashlib import sha256

import msgspec

from choirbook.documents.content_codings import TooLong, decompress
from choirbook.documents.rendering import CODED_FORMS, longest_body
from choirbook.model import Content, Form, Representation, ResourceInfo, SourceEntry

RECOVERABLE = frozenset(Form) - {Form.OUTLINE, Form.TOOL_HANDSHAKE, Form.TOOL_MODERN}
"""Forms that hold the complete document."""

_CHEAPEST = tuple(sorted(RECOVERABLE, key=lambda form: (form in CODED_FORMS, form is not Form.RAW)))


class _JsonEnvelope(msgspec.Struct):
    content: str
    encoding: str


class _Item(msgspec.Struct):
    text: str | None = None
    blob: str = ""


class _Result(msgspec.Struct):
    contents: list[_Item]


_envelope = msgspec.json.Decoder(_JsonEnvelope)
_result = msgspec.json.Decoder(_Result)


def recover(info: ResourceInfo, forms: Mapping[Form, Representation]) -> Content | None:
    """Return the content that forms were made from, or None if none of them holds it completely.

    Args:
        info: Info of the document.
        forms: Forms of the same version.
    """
    for form in _CHEAPEST:
        if form in forms:
            try:
                data = _data_of(info, form, forms[form])
            except (TooLong, msgspec.DecodeError, ValueError):
                # It came from Redis, without a secret that would authenticate the writer.
                continue
            if sha256(data).hexdigest() == forms[form].digest:
                return Content(data, SourceEntry(info.path, info.version, len(data), info.modified_ns))
    return None


def _data_of(info: ResourceInfo, form: Form, representation: Representation) -> bytes:
    body, longest = representation.body, longest_body(info, form)
    if form in CODED_FORMS:
        form, coding = CODED_FORMS[form]
        # If compression saved nothing, the form is the plain one.
        if ("content-encoding", coding.value) in representation.headers:
            body = decompress(body, coding, longest)
    if form is Form.RAW:
        return body
    if form is Form.JSON:
        envelope = _envelope.decode(body)
        return envelope.content.encode() if envelope.encoding == "utf-8" else b64decode(envelope.content)
    (item,) = _result.decode(body).contents
    return b64decode(item.blob) if item.text is None else item.text.encode()
