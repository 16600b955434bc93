"""Names of keys in the shared level. Pure.

`choirbook:<library>:resource:<type>:<name>:<version>:<form>`, the version the same on every host. Besides
the source's data about the document it contains a fingerprint of everything else that affects the
bytes: two releases of Choirbook, or two sets of rules, never read each other's values.
"""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import quote

import msgspec

from choirbook.model import Form, ResourceInfo

_FINGERPRINT_DIGITS = 24
"""Hexadecimal digits of a fingerprint: 96 bits, enough to avoid collisions within a library."""


class RedisKeys:
    """Redis keys of one library.

    Args:
        library: Name of the library.
        stamp: Added to its replies beside the documents; anything that msgpack can serialize.
    """

    def __init__(self, library: str, stamp: Any) -> None:
        self._root = f"choirbook:{_quoted(library)}"
        self._stamp = msgspec.msgpack.encode(stamp)
        self.feed = f"{self._root}:feed"
        """Key with the state of the feed."""
        self.channel = f"{self._root}:changes"
        """Channel on which changes are published."""

    def resource(self, info: ResourceInfo, form: Form, portable: str, epoch: int) -> str:
        """Return the key of one form.

        Args:
            info: Catalog entry of the resource.
            form: Form of the key.
            portable: Part of its version that is the same on every host; see `Source.portable`.
            epoch: Number of the last invalidation of its type, or of all types.
        """
        version = f"{_quoted(portable)}.{epoch:x}.{self._fingerprint(info)}"
        return f"{self._root}:resource:{_quoted(info.type)}:{_quoted(info.name)}:{version}:{form.value}"

    def lease(self, key: str) -> str:
        """Return the key by which a process claims the loading of another key."""
        return f"{self._root}:lease:{hashlib.sha256(key.encode()).hexdigest()[:_FINGERPRINT_DIGITS]}"

    def _fingerprint(self, info: ResourceInfo) -> str:
        values = (
            info.uri,
            info.canonical_uri,
            info.title,
            info.description,
            info.media_type,
            info.size,
            info.modified_ns,
        )
        seed = self._stamp + msgspec.msgpack.encode(values)
        return hashlib.sha256(seed).hexdigest()[:_FINGERPRINT_DIGITS]


def _quoted(text: str) -> str:
    """Escape a part of a key so that it is unambiguous: a colon ends it."""
    return quote(text, safe="/")
