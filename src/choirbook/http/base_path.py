"""Path prefixes in the links of an outline. Pure.

The outline itself is held in memory once, whatever prefixes clients use: the result is made for one response.
Its validator covers the prefix, so no cache uses the links of one prefix for another.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from choirbook.model import Header, Reading, Representation

_ETAG_DIGITS = 32


def placed_below(reading: Reading, prefix: str) -> Reading:
    """Return a reading of an outline with a prefix added to its links.

    Args:
        reading: Reading of the form `Form.OUTLINE`.
        prefix: Such as `/standards`.
    """
    outline: dict[str, Any] = msgspec.json.decode(reading.representation.body)
    for linked in (outline, *outline["sections"]):
        linked["href"] = prefix + linked["href"]
    seed = f"{prefix} {reading.representation.etag}".encode()
    etag = f'"{sha256(seed).hexdigest()[:_ETAG_DIGITS]}"'
    representation = Representation(
        msgspec.json.encode(outline),
        etag,
        _retagged(reading.representation.headers, etag),
        reading.representation.digest,
        _retagged(reading.representation.hit_headers, etag),
    )
    return msgspec.structs.replace(reading, representation=representation)


def _retagged(headers: list[Header], etag: str) -> list[Header]:
    added = {"etag": etag, "vary": f"{dict(headers).get('vary', '')}, x-forwarded-prefix"}
    return [(name, added.get(name, value)) for name, value in headers]
