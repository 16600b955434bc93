"""Cursors of listings: opaque, self-contained, stable. Pure.

A cursor holds the URI after which the next page starts. It stays valid across restarts, workers and hosts,
and if a listing changes between two pages, nothing is repeated or skipped.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error

from choirbook.errors import InvalidCursor, InvalidUri
from choirbook.uri import canonical_uri

_MARK = b"1:"
_MAX_CHARACTERS = 4096
_MESSAGE = "The cursor was not issued by this server. Omit it to start at the first page."


def encode_cursor(last_uri: str) -> str:
    """Encode the cursor of the page after a canonical URI."""
    return urlsafe_b64encode(_MARK + last_uri.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """Decode a cursor: return the canonical URI after which a page starts.

    Raises:
        InvalidCursor: The text was not made by `encode_cursor`. The empty text was not either.
    """
    if not cursor.isascii() or not 0 < len(cursor) <= _MAX_CHARACTERS:
        raise InvalidCursor(_MESSAGE)
    try:
        data = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        uri = data.removeprefix(_MARK).decode("utf-8")
        is_ours = data.startswith(_MARK) and canonical_uri(uri) == uri and encode_cursor(uri) == cursor
    except (Base64Error, UnicodeDecodeError, ValueError, InvalidUri):
        raise InvalidCursor(_MESSAGE) from None
    if not is_ours:
        raise InvalidCursor(_MESSAGE)
    return uri
