"""Seals: signatures of everything written to Redis, verified when it is read. Pure.

A seal is a keyed BLAKE2b over its purpose, the name under which the payload is kept or sent, and the payload
(docs/adr/0017). A payload moved to another name, or from the feed to a value, does not verify.

    11 bytes  "choirbook" and the version of the format
    8 bytes   id of the secret, which reveals nothing of it
    32 bytes  BLAKE2b of the name's length, the name and the payload
    payload
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from hashlib import blake2b
from hmac import compare_digest

FORMAT = 2
_MAGIC = b"choirbook" + FORMAT.to_bytes(2, "big")
_ID_BYTES = 8
_MAC_BYTES = 32
_ID_AT = len(_MAGIC)
_MAC_AT = _ID_AT + _ID_BYTES
SEAL_BYTES = _MAC_AT + _MAC_BYTES

_PUBLIC = "choirbook, unsigned"
"""Key known to everybody: without a secret, seals detect accidents, not attackers."""


class Corrupt(Exception):
    """Bytes from Redis that Choirbook did not write there."""


class Unverified(Corrupt):
    """Bytes that are not sealed with a secret that this process knows."""


class Purpose(StrEnum):
    """Purpose of a seal: each has a key of its own. A closed set, as it becomes a label."""

    VALUE = "value"
    MESSAGE = "message"
    STATE = "state"


class Signer:
    """Seals with the first secret, and opens values sealed with any.

    Args:
        secrets: The secret and, during a rotation, the other one; none for a public one.
    """

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self.is_signed = bool(secrets)
        """Whether a secret is set. Otherwise anyone who can write to Redis can seal anything."""
        rings = [_keys_of(secret) for secret in secrets or [_PUBLIC]]
        self._id, self._keys = rings[0]
        self._known = dict(reversed(rings))

    def seal(self, purpose: Purpose, name: str, payload: bytes) -> bytes:
        """Return a payload behind its seal.

        Args:
            purpose: Purpose of the seal.
            name: Key or channel that it is written to.
            payload: Any bytes.
        """
        return b"".join((_MAGIC, self._id, _mac(self._keys[purpose], name, payload), payload))

    def open(self, purpose: Purpose, name: str, sealed: bytes) -> bytes:
        """Return the payload behind a seal.

        Raises:
            Corrupt: It has another format.
            Unverified: It is not sealed for this purpose and name with a secret known here.
        """
        if len(sealed) < SEAL_BYTES or not sealed.startswith(_MAGIC):
            raise Corrupt("it has another format")
        keys = self._known.get(sealed[_ID_AT:_MAC_AT])
        if keys is None:
            raise Unverified("it is sealed with another secret")
        payload = sealed[SEAL_BYTES:]
        if not compare_digest(sealed[_MAC_AT:SEAL_BYTES], _mac(keys[purpose], name, payload)):
            raise Unverified("its seal is wrong")
        return payload


_Keys = dict[Purpose, bytes]


def _keys_of(secret: str) -> tuple[bytes, _Keys]:
    # The secret may be longer than a key of BLAKE2b, which is 64 bytes at most.
    root = blake2b(secret.encode(), person=b"choirbook-redis").digest()
    keys = {
        purpose: blake2b(purpose.encode(), key=root, digest_size=_MAC_BYTES).digest() for purpose in Purpose
    }
    return blake2b(b"id", key=root, digest_size=_ID_BYTES).digest(), keys


def _mac(key: bytes, name: str, payload: bytes) -> bytes:
    named = name.encode()
    # With its length first, no other name and payload make the same bytes.
    seal = blake2b(len(named).to_bytes(4, "big") + named, key=key, digest_size=_MAC_BYTES)
    seal.update(payload)
    return seal.digest()
