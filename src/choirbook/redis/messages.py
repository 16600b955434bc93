"""Messages between workers through Redis, and the state of the feed there. Pure.

Both are JSON behind a seal. Times are those of Redis, which all workers ask, so the clocks of hosts do not
matter.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, TypeVar

import msgspec

from choirbook.model import Invalidation
from choirbook.redis.signatures import SEAL_BYTES, Corrupt, Purpose, Signer

MAX_MESSAGE_BYTES = 64 * 1024
MAX_STATE_BYTES = 64 * 1024
MAX_EPOCHS = 64
"""Maximum number of types with their own epoch; beyond it, all types begin a new one. A library has a few."""

MAX_TYPE_CHARACTERS = 200
"""Maximum length of a type, in characters, so that the state of `MAX_EPOCHS` types still fits."""

MAX_SENDERS = 1024
"""Maximum number of workers whose last uncounted message is remembered. Only holders of the secret can add
one."""

FRESH_S = 60
"""Maximum age of an uncounted message, in seconds, so that a recorded one cannot be replayed later. The clock
is that of Redis, of which each worker's copy is a few seconds old."""


class DocumentsChanged(msgspec.Struct, frozen=True, tag="edit"):
    """Documents that have changed."""

    documents: dict[str, str] | None
    """Portable version by canonical URI, "" if it is gone; None if there are too many to name."""


class CacheInvalidated(msgspec.Struct, frozen=True, tag="invalidation"):
    """Invalidation of cached content."""

    scope: Invalidation


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """No change: lets a worker find out whether it may publish, and others whether they can verify it."""


News = DocumentsChanged | CacheInvalidated | Hello


class FeedMessage(msgspec.Struct, frozen=True):
    """One message of the feed."""

    sender: str
    """Random id that each worker chooses at startup."""
    number: int
    """Number of the state after it; 0 if it is not counted, and lost if nobody receives it."""
    sequence: int
    """Sequence number among the uncounted messages of a sender."""
    sent_s: int
    """Unix time of Redis, in seconds."""
    news: News


class FeedState(msgspec.Struct, frozen=True):
    """State of the feed in Redis."""

    number: int
    """Number of the last message. It only ever grows, and starts from the time in milliseconds: a feed that
    was lost continues above its old numbers."""
    announced_s: int
    """Time of that message, by the clock of Redis."""
    epochs: dict[str, int]
    """Number of the last invalidation of each type, of all types under ""."""


def joined(epochs: dict[str, int], others: dict[str, int]) -> dict[str, int]:
    """Return the later epoch of each type: epochs never go back."""
    found = {type_: max(number, others.get(type_, 0)) for type_, number in epochs.items()} | {
        type_: number for type_, number in others.items() if type_ not in epochs
    }
    return found if len(found) <= MAX_EPOCHS else {"": max(found.values())}


def fitting(news: News) -> News:
    """Limit news to the length of a message: an edit with too long URIs becomes "anything was edited"."""
    match news:
        case DocumentsChanged(documents=dict()) if (
            len(msgspec.json.encode(news)) > MAX_MESSAGE_BYTES - _REST_BYTES
        ):
            return DocumentsChanged(None)
    return news


_REST_BYTES = 1024
"""Bytes of a message beside its news."""


class MessageCodec:
    """Serializes and parses messages and the state.

    Args:
        signer: Signs and verifies them.
        key: Key of the state.
        channel: Channel of the messages.
    """

    def __init__(self, signer: Signer, key: str, channel: str) -> None:
        self._signer = signer
        self._key = key
        self._channel = channel

    def write(self, message: FeedMessage) -> bytes:
        """Serialize a message."""
        return self._signer.seal(Purpose.MESSAGE, self._channel, msgspec.json.encode(message))

    def read(self, raw: bytes) -> FeedMessage:
        """Parse a message.

        Raises:
            Corrupt: It is malformed, or not sealed by a worker.
        """
        if len(raw) > MAX_MESSAGE_BYTES + SEAL_BYTES:
            raise Corrupt("it is longer than any message")
        found = _decoded(self._signer.open(Purpose.MESSAGE, self._channel, raw), _message)
        if not 0 <= found.number < _MAX_NUMBER or not 0 <= found.sequence < _MAX_NUMBER:
            raise Corrupt("it is not a message")
        match found.news:
            case CacheInvalidated(Invalidation(type=str() as type_)) if len(type_) > MAX_TYPE_CHARACTERS:
                raise Corrupt("it names no type")
        return found

    def write_state(self, state: FeedState) -> bytes:
        """Serialize the state."""
        return self._signer.seal(Purpose.STATE, self._key, msgspec.json.encode(state))

    def read_state(self, raw: bytes) -> FeedState:
        """Parse the state.

        Raises:
            Corrupt: It is malformed, or not sealed by a worker.
        """
        found = _decoded(self._signer.open(Purpose.STATE, self._key, raw), _state)
        if not 0 < found.number < _MAX_NUMBER or len(found.epochs) > MAX_EPOCHS:
            raise Corrupt("it is not the state of the feed")
        return found


class SeenMessages:
    """Uncounted messages that were received, so that none counts twice."""

    def __init__(self) -> None:
        self._sequences: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of senders remembered."""
        return len(self._sequences)

    def is_new(self, message: FeedMessage, now_s: float) -> bool:
        """Record an uncounted message, and return whether it is new.

        Args:
            message: Verified message.
            now_s: Unix time of Redis.
        """
        if abs(now_s - message.sent_s) > FRESH_S:
            return False
        if message.sequence <= self._sequences.get(message.sender, 0):
            return False
        self._sequences[message.sender] = message.sequence
        self._sequences.move_to_end(message.sender)
        if len(self._sequences) > MAX_SENDERS:
            self._sequences.popitem(last=False)
        return True


Decoded = TypeVar("Decoded")

_MAX_NUMBER = 2**53
"""Maximum number of a message: far above any time in milliseconds, and low enough for the next one to fit."""

_message = msgspec.json.Decoder(FeedMessage)
_state = msgspec.json.Decoder(FeedState)


def _decoded(body: bytes, decoder: msgspec.json.Decoder[Decoded]) -> Decoded:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Corrupt("it is not what a worker writes") from error


def seconds_of(reply: Any) -> float:
    """Return the Unix time in a reply to TIME.

    Raises:
        Corrupt: It is malformed.
    """
    match reply:
        case [bytes() as seconds, bytes() as microseconds] if (seconds + microseconds).isdigit():
            if len(seconds) < _MAX_DIGITS and len(microseconds) < _MAX_DIGITS:
                return int(seconds) + int(microseconds) / 1e6
    raise Corrupt("it is not a time")


_MAX_DIGITS = 13
