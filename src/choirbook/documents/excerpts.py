"""Parts of long documents for the tool `read`: where they end, how to continue, and their JSON. Pure.

A part ends at a line end, or inside a line that is longer than the whole part, but never inside a character.
A cursor gives the position at which to continue in the document it is sent with. It is short, as a model has
to copy it; self-contained, so that it stays valid across restarts, workers and hosts; and it includes a
digest of the document, so that parts of two versions are never combined.
"""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from choirbook.documents.media_types import is_textual
from choirbook.errors import InvalidCursor
from choirbook.model import ResourceInfo
from choirbook.text.token_estimate import BYTES_PER_TOKEN, estimate_tokens
from choirbook.uri import path_of

MAX_PART_TOKENS = 50_000
"""Maximum tokens in one result, below the 500,000 characters that clients can be asked to accept at most."""

MAX_PART_BYTES = MAX_PART_TOKENS * BYTES_PER_TOKEN

SHOWN_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""Images that models can view; others are only linked."""

_MARK = b"\x01"
_START_BYTES = 5
_DIGEST_BYTES = 6
_CURSOR_CHARACTERS = (len(_MARK) + _START_BYTES + _DIGEST_BYTES) * 4 // 3
_MESSAGE = "The cursor was not issued by this server. Omit it to start at the beginning."


class Continuation(NamedTuple):
    """Position at which to continue a document."""

    start: int
    """Offset in bytes."""
    digest: bytes
    """First bytes of the digest of the document or section."""


class Part(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Structured content that the tool `read` returns."""

    uri: str
    title: str
    type: str
    mime_type: str
    size: int
    """Size of the complete document or section, in bytes."""
    tokens: int
    """Estimated number of tokens of the complete document or section."""
    start: int | UnsetType = UNSET
    """Start of this part, in bytes; present only if this is not everything."""
    end: int | UnsetType = UNSET
    text: str | UnsetType = UNSET
    """Text of the part; absent if the document is not text."""
    next_cursor: str | UnsetType = UNSET
    """Cursor of the next part; absent at the end."""


def end_of_part(data: bytes, start: int, max_bytes: int) -> int:
    """Return the end of a part.

    Args:
        data: Document in UTF-8.
        start: Start of the part, between two characters.
        max_bytes: Maximum length; a single character may be longer.
    """
    limit = start + max_bytes
    if limit >= len(data):
        return len(data)
    line_end = data.rfind(b"\n", start, limit) + 1
    if line_end > start:
        return line_end
    end = limit
    while end > start and _is_inside_character(data[end]):
        end -= 1
    if end > start:
        return end
    end = start + 1
    while end < len(data) and _is_inside_character(data[end]):
        end += 1
    return end


def encode_continuation(start: int, digest: str) -> str:
    """Encode a cursor.

    Args:
        start: Position at which to continue, in bytes.
        digest: Digest of the complete document or section, in hexadecimal.
    """
    known_by = bytes.fromhex(digest)[:_DIGEST_BYTES]
    return urlsafe_b64encode(_MARK + start.to_bytes(_START_BYTES, "big") + known_by).decode()


def decode_continuation(cursor: str) -> Continuation:
    """Decode a cursor.

    Raises:
        InvalidCursor: The text was not made by `encode_continuation`.
    """
    if not cursor.isascii() or len(cursor) != _CURSOR_CHARACTERS:
        raise InvalidCursor(_MESSAGE)
    try:
        data = urlsafe_b64decode(cursor)
    except Base64Error:
        raise InvalidCursor(_MESSAGE) from None
    if not data.startswith(_MARK) or urlsafe_b64encode(data).decode() != cursor:
        raise InvalidCursor(_MESSAGE)
    start = data[len(_MARK) : -_DIGEST_BYTES]
    return Continuation(int.from_bytes(start, "big"), data[-_DIGEST_BYTES:])


def check_continuation(continuation: Continuation, uri: str, data: bytes, digest: str) -> int:
    """Return the position at which to continue.

    Args:
        continuation: Decoded cursor.
        uri: URI that it was sent with.
        data: Present content of the document or section.
        digest: Digest of that content.

    Raises:
        InvalidCursor: It belongs to another version or another document, or no part of this one begins there.
    """
    if continuation.digest != bytes.fromhex(digest)[:_DIGEST_BYTES]:
        raise InvalidCursor(
            f"The cursor does not match {uri}: the document has changed since the previous part was read, "
            "or the cursor belongs to another uri or section. Start again: read it without a cursor."
        )
    start = continuation.start
    if start >= len(data) or _is_inside_character(data[start]):
        raise InvalidCursor(_MESSAGE)
    return start


def part_members(
    info: ResourceInfo, data: bytes, digest: str, start: int = 0, max_bytes: int = MAX_PART_BYTES
) -> bytes:
    """Return the members of a `CallToolResult`, without braces.

    Both text and structured content hold the document, as some clients show their model only the former and
    some only the latter.

    Args:
        info: Info of the document or section.
        data: Its complete content.
        digest: Digest of the content.
        start: Start of the part, in bytes.
        max_bytes: Maximum length of the part.
    """
    part = Part(info.uri, info.title, info.type, info.media_type, len(data), estimate_tokens(len(data)))
    if _is_text(info, data):
        part, text = _text_part(part, data, digest, start, max_bytes)
        content = [{"type": "text", "text": text}, link(info)]
    else:
        content = _content_of_binary(info, part, data)
    return msgspec.json.encode({"content": content, "structuredContent": part})[1:-1]


def heading(uri: str, title: str, size: int) -> str:
    """Return the line with which results name a document: clients drop links, but not text."""
    return f"{title}\n{uri}\n{size:,} bytes, about {estimate_tokens(size):,} tokens"


def link(info: ResourceInfo) -> dict[str, Any]:
    """Return a document as a `resource_link` (revision 2025-06-18, server/tools, "Resource Links")."""
    made = {"type": "resource_link", "uri": info.uri, "name": info.name, "title": info.title}
    if info.description:
        made["description"] = info.description
    return {**made, "mimeType": info.media_type, "size": info.size}


def _is_text(info: ResourceInfo, data: bytes) -> bool:
    if not is_textual(info.media_type):
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _text_part(part: Part, data: bytes, digest: str, start: int, max_bytes: int) -> tuple[Part, str]:
    end = end_of_part(data, start, max_bytes)
    text = data[start:end].decode("utf-8")
    head, tail = heading(part.uri, part.title, part.size), ""
    changes: dict[str, Any] = {"text": text}
    if start > 0 or end < len(data):
        changes |= {"start": start, "end": end}
        head += f"; this part is from byte {start:,} to {end:,}"
    if end < len(data):
        changes["next_cursor"] = encode_continuation(end, digest)
        left = estimate_tokens(len(data) - end)
        tail = (
            f"\n[About {left:,} tokens are left. To continue, call read with the uri {part.uri} and the "
            f"cursor {changes['next_cursor']}]"
        )
    return msgspec.structs.replace(part, **changes), f"{head}\n\n{text}{tail}"


def _content_of_binary(info: ResourceInfo, part: Part, data: bytes) -> list[dict[str, Any]]:
    head = heading(part.uri, part.title, part.size)
    if info.media_type in SHOWN_IMAGES and len(data) <= MAX_PART_BYTES:
        image = {"type": "image", "data": b64encode(data).decode(), "mimeType": info.media_type}
        return [{"type": "text", "text": head}, image, link(info)]
    where = path_of(info.uri)
    reason = f"This document is {info.media_type}, not text. Fetch it as a resource, or over HTTP at {where}."
    return [{"type": "text", "text": f"{head}\n\n{reason}"}, link(info)]


def _is_inside_character(byte: int) -> bool:
    return byte & 0xC0 == 0x80  # noqa: PLR2004 - UTF-8's mark of a continuation byte (RFC 3629, section 3)
