"""How keys of the shared level are spelled. Pure.

`choirbook:<library>:resource:<type>:<name>:<version>:<form>`, the version the same on every host. Besides
what the source says of the document it holds a fingerprint of all else that goes into the bytes: two
releases of Choirbook, or two sets of rules, never read each other's.
"""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import quote

import msgspec

from choirbook.model import Form, ResourceInfo

_FINGERPRINT_DIGITS = 24
"""96 bits: no two fingerprints of a library's documents will be equal."""


class Keys:
    """The names that one library has in Redis.

    Args:
        library: Its name.
        stamp: What goes into its replies beside the documents; anything that msgpack can write.
    """

    def __init__(self, library: str, stamp: Any) -> None:
        self._root = f"choirbook:{_quoted(library)}"
        self._stamp = msgspec.msgpack.encode(stamp)
        self.feed = f"{self._root}:feed"
        """Where the state of the feed is."""
        self.channel = f"{self._root}:changes"
        """Where changes are published."""

    def resource(self, info: ResourceInfo, form: Form, portable: str, epoch: int) -> str:
        """Return the key of one form.

        Args:
            info: What the catalog says of the resource.
            form: Of the key.
            portable: What of its version is the same on every host; see `Source.portable`.
            epoch: The last invalidation of its type, or of all.
        """
        version = f"{_quoted(portable)}.{epoch:x}.{self._fingerprint(info)}"
        return f"{self._root}:resource:{_quoted(info.type)}:{_quoted(info.name)}:{version}:{form.value}"

    def lease(self, key: str) -> str:
        """Return the key under which one process says that it loads what belongs to another key."""
        return f"{self._root}:lease:{hashlib.sha256(key.encode()).hexdigest()[:_FINGERPRINT_DIGITS]}"

    def _fingerprint(self, info: ResourceInfo) -> str:
        said = (
            info.uri,
            info.canonical_uri,
            info.title,
            info.description,
            info.media_type,
            info.size,
            info.modified_ns,
        )
        seed = self._stamp + msgspec.msgpack.encode(said)
        return hashlib.sha256(seed).hexdigest()[:_FINGERPRINT_DIGITS]


def _quoted(text: str) -> str:
    """Spell a part of a key so that no other has its spelling: a colon ends it."""
    return quote(text, safe="/")
