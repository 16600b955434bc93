"""Resource URIs: strict parsing, one canonical form, and the templates that name sets of them.

Pure. The catalog uses canonical URIs as dictionary keys, so spellings that this module treats as equal are
one resource, and a URI that it rejects never reaches a look-up. It must never know about files.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple
from urllib.parse import quote, unquote

from choirbook.errors import InvalidUri
from choirbook.text.globs import Glob, Token, named

MAX_URI_BYTES = 2048
"""Maximum length of a URI in bytes: longer than any that a library can produce from paths that `check`
passes; RFC 9110 recommends support for 8000."""

MAX_SEGMENT_BYTES = 255
"""Maximum length of a segment in bytes: NAME_MAX of every common file system."""

# RFC 3986 unreserved and sub-delims plus ":" and "@", less ";" which servers read as parameters.
_SEGMENT_SAFE = "-._~!$&'()*+,=:@"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*\Z")
_AUTHORITY = re.compile(r"[A-Za-z0-9._~-]+\Z")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_FORBIDDEN = re.compile(f"[\x00-\x1f\x7f-\x9f;\ufffd{_BIDI}\\\\]")


class UriParts(NamedTuple):
    """Components of a URI; `segments` are decoded text."""

    scheme: str
    authority: str
    segments: tuple[str, ...]


def canonical_uri(text: str) -> str:
    """Return the canonical spelling of a URI, under which the catalog knows it.

    Args:
        text: A URI as a client sent it.

    Raises:
        InvalidUri: The text breaks a rule of "Reading a URI"; the message says which.
    """
    return join_uri(split_uri(text))


def split_uri(text: str) -> UriParts:
    """Split an MCP resource URI into components, rejecting everything ambiguous (RFC 3986, section 7).

    Raises:
        InvalidUri: See `canonical_uri`.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_URI_BYTES:
        raise InvalidUri(f"The URI is longer than {MAX_URI_BYTES} bytes.")
    # urlsplit would silently drop tabs and line feeds, so the characters are checked first.
    _refuse_characters(text, "The URI")
    scheme, separator, rest = text.partition("://")
    if not separator or not _SCHEME.match(scheme):
        raise InvalidUri("The URI has no scheme. Write it like mcp://resources/sdlc/core.")
    for mark, what in (("#", "a fragment"), ("?", "a query")):
        if mark in rest:
            raise InvalidUri(
                f"The URI has {what}, which resource URIs of this library never have. Remove it."
            )
    authority, _, path = rest.partition("/")
    if "@" in authority or ":" in authority:
        raise InvalidUri("The URI has user information or a port. Remove them.")
    if not _AUTHORITY.match(authority):
        raise InvalidUri(
            "The URI's authority is empty or malformed. Write it like mcp://resources/sdlc/core."
        )
    segments = tuple(_decode_segment(raw) for raw in path.split("/")) if path else ()
    return UriParts(scheme.lower(), authority.lower(), segments)


def join_uri(parts: UriParts) -> str:
    """Build a URI in its canonical form: lower-case authority, shortest escapes, upper-case hex."""
    path = "/".join(quote(segment, safe=_SEGMENT_SAFE) for segment in parts.segments)
    return f"{parts.scheme}://{parts.authority}/{path}" if path else f"{parts.scheme}://{parts.authority}"


def check_segments(segments: tuple[str, ...]) -> tuple[str, ...]:
    """Check path segments that were decoded elsewhere (an HTTP server decodes its path itself).

    Raises:
        InvalidUri: A segment is empty, a dot, too long, not NFC, or holds a forbidden character.
    """
    for segment in segments:
        _check_segment(segment)
    return segments


def _decode_segment(raw: str) -> str:
    if _BAD_PERCENT.search(raw):
        raise InvalidUri("The URI has a '%' that is not followed by two hexadecimal digits.")
    if "%" in raw:
        lowered = raw.lower()
        if "%2f" in lowered or "%5c" in lowered:
            raise InvalidUri("The URI has an encoded slash or backslash inside a segment.")
        try:
            raw = _unquote(raw)
        except UnicodeDecodeError:
            raise InvalidUri("The URI's percent-encoded bytes are not UTF-8.") from None
    _check_segment(raw)
    return raw


def _unquote(raw: str) -> str:
    pieces = raw.encode("utf-8", "surrogatepass").split(b"%")
    decoded = pieces[0] + b"".join(bytes.fromhex(piece[:2].decode()) + piece[2:] for piece in pieces[1:])
    return decoded.decode("utf-8")


def _check_segment(segment: str) -> None:
    if segment in {"", ".", ".."}:
        raise InvalidUri("The URI has an empty, '.' or '..' segment.")
    _refuse_characters(segment, "A segment of the URI")
    try:
        size_bytes = len(segment.encode("utf-8"))
    except UnicodeEncodeError:
        raise InvalidUri("The URI has a lone surrogate, which is not a character.") from None
    if size_bytes > MAX_SEGMENT_BYTES:
        raise InvalidUri(f"A segment of the URI is longer than {MAX_SEGMENT_BYTES} bytes.")
    # NFC only. NFKC would turn U+FF0E into a dot after the dots were rejected.
    if not segment.isascii() and not unicodedata.is_normalized("NFC", segment):
        raise InvalidUri("The URI is not in Unicode normalization form C.")


def _refuse_characters(text: str, what: str) -> None:
    found = _FORBIDDEN.search(text)
    if found is not None:
        raise InvalidUri(f"{what} has the character U+{ord(found[0]):04X}, which is not allowed.")


AUTHORITY = "mcp://resources/"
"""Usual prefix of a library's URIs, which the paths of the HTTP interface leave out."""

READ_PREFIX = "/mcp/resources/"
"""Prefix of the HTTP paths of single resources."""


def path_of(uri: str) -> str:
    """Return the HTTP path of a canonical URI, with its query if it has one.

    `mcp://resources/sdlc/core` is at `/mcp/resources/sdlc/core`. A URI of another kind has its scheme as the
    first segment: `test://watched` is at `/mcp/resources/test:/watched`.
    """
    if uri.startswith(AUTHORITY):
        return READ_PREFIX + uri[len(AUTHORITY) :]
    scheme, _, rest = uri.partition("://")
    return f"{READ_PREFIX}{scheme}:/{rest}"


_EXPRESSION = re.compile(r"\{(\+?)([A-Za-z_][A-Za-z0-9_]*)\}")


def _pattern_of(template: str) -> Glob:
    tokens: list[Token] = []
    end = 0
    for match in _EXPRESSION.finditer(template):
        tokens += [template[end : match.start()], named(match[2], is_rest=bool(match[1]))]
        end = match.end()
    return Glob([*tokens, template[end:]])


class UriTemplate:
    """A URI template of RFC 6570: `{name}` is one segment or a part of it, a last `{+name}` the rest.

    Args:
        text: Such as `mcp://resources/patterns/{language}/{name}`.

    Raises:
        ValueError: An expression of another kind, a variable named twice, or too many of them.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        names = [match[1] for match in _EXPRESSION.findall(text)]
        plain = _EXPRESSION.sub("", text)
        if "{" in plain or "}" in plain:
            raise ValueError(f"{text!r} has an expression that is not {{name}} or {{+name}}")
        self.variables: tuple[str, ...] = tuple(names)
        try:
            self._pattern = _pattern_of(text)
        except ValueError as error:
            raise ValueError(f"{text!r} {error}") from None

    def expand(self, values: dict[str, str]) -> str:
        """Insert values into the template and return the canonical URI.

        Args:
            values: Decoded text for each variable; slashes only if the template has `{+name}`.

        Raises:
            KeyError: A variable has no value.
            InvalidUri: The result is not a URI that `canonical_uri` accepts.
        """

        def put(match: re.Match[str]) -> str:
            safe = _SEGMENT_SAFE + "/" if match[1] else _SEGMENT_SAFE
            try:
                return quote(values[match[2]], safe=safe)
            except UnicodeEncodeError:
                raise InvalidUri("The name is not UTF-8, which a URI has to be.") from None

        return canonical_uri(_EXPRESSION.sub(put, self.text))

    def match(self, uri: str) -> dict[str, str] | None:
        """Return the decoded values that expand to a canonical URI, or None if there are none."""
        found = self._pattern.match(uri)
        return None if found is None else {name: unquote(value) for name, value in found.items()}

    def without(self, variable: str) -> UriTemplate:
        """Return the template without a variable's segment: the pattern of an alias."""
        return UriTemplate(re.sub(r"/\{\+?" + re.escape(variable) + r"\}", "", self.text, count=1))
