"""Rendering of a document's bytes into the forms that are sent.

Pure: the same content and info give the same bytes on every host. Called on a miss only, on a worker thread.
It knows shapes and headers, but not requests, caches or files.
"""

from __future__ import annotations

import base64
import hashlib
from email.utils import formatdate
from typing import Any, NamedTuple, assert_never

import msgspec

from choirbook.documents.content_codings import MIN_BYTES, Coding, compress
from choirbook.documents.excerpts import part_members
from choirbook.documents.media_types import is_textual
from choirbook.documents.sections.parser import outline_of
from choirbook.documents.sections.section_uris import section_uri
from choirbook.model import X_CACHE, Content, Form, Header, Representation, ResourceInfo, Section, ServedFrom
from choirbook.text.token_estimate import estimate_tokens
from choirbook.uri import path_of

_ETAG_DIGITS = 32
"""Hexadecimal digits of an ETag: 128 bits of SHA-256, enough to avoid collisions within a library."""


META_PREFIX = "dev.choirbook/"
"""Prefix of Choirbook's `_meta` keys (revision 2025-06-18, basic, "_meta": a reversed domain, not MCP's).

Resources and contents have `_meta` since 2025-06-18; clients of 2025-03-26 ignore unknown keys.
"""


DOCUMENT_POLICY: tuple[Header, ...] = (
    ("content-security-policy", "default-src 'none'; sandbox; frame-ancestors 'none'"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
)
"""Headers of a document's own bytes: HTML and SVG in it must not run as pages of this server's origin.

`sandbox` gives them an origin of their own and no script (https://www.w3.org/TR/CSP3/). A page of an allowed
origin reads them by CORS, to which the resource policy does not apply
(https://fetch.spec.whatwg.org/#corp-check).
"""

VARY: Header = ("vary", "accept, accept-encoding, origin")
"""Includes `origin` even if no page asked: otherwise a browser would reuse its cached copy for that page."""


class Stamp(NamedTuple):
    """Values that replies carry beside the document itself."""

    client_ttl_ms: int
    server_info: dict[str, str]
    """`{"name", "version"}` of the server (MCP `Implementation`)."""


CODING_FORMS: dict[tuple[Form, Coding], Form] = {
    (Form.RAW, Coding.GZIP): Form.RAW_GZIP,
    (Form.RAW, Coding.BR): Form.RAW_BR,
    (Form.RAW, Coding.ZSTD): Form.RAW_ZSTD,
    (Form.JSON, Coding.GZIP): Form.JSON_GZIP,
    (Form.JSON, Coding.BR): Form.JSON_BR,
    (Form.JSON, Coding.ZSTD): Form.JSON_ZSTD,
}
CODED_FORMS = {form: (plain, coding) for (plain, coding), form in CODING_FORMS.items()}
"""Plain form and coding of each coded form."""


def render(info: ResourceInfo, content: Content, form: Form, stamp: Stamp) -> Representation:
    """Make one form of a document.

    Args:
        info: Names and types; its URI is the one that the client used.
        content: The document's bytes and the entry they were read under.
        form: Form to make.
        stamp: See `Stamp`.
    """
    digest = hashlib.sha256(content.data).hexdigest()
    match form:
        case Form.RAW:
            return _raw(info, content, digest, stamp)
        case Form.JSON:
            return _envelope(info, content, digest, stamp)
        case Form.MCP_HANDSHAKE | Form.MCP_MODERN | Form.TOOL_HANDSHAKE | Form.TOOL_MODERN:
            return Representation(_result(info, content, digest, form, stamp), _etag(digest), [], digest, [])
        case Form.OUTLINE:
            return _outline(info, content, digest, stamp)
        case Form.RAW_GZIP | Form.RAW_BR | Form.RAW_ZSTD | Form.JSON_GZIP | Form.JSON_BR | Form.JSON_ZSTD:
            plain, coding = CODED_FORMS[form]
            return _compressed(render(info, content, plain, stamp), coding)
        case _:  # pragma: no cover
            assert_never(form)


def modern_result(members: bytes, stamp: Stamp, *, cacheable: bool = True) -> bytes:
    """Wrap the members of a modern-era result.

    Args:
        members: JSON members without braces, such as `"contents":[]`.
        stamp: See `Stamp`.
        cacheable: Add `ttlMs` and `cacheScope` (revision 2026-07-28, server/utilities/caching).
    """
    caching = b',"ttlMs":%d,"cacheScope":"public"' % stamp.client_ttl_ms if cacheable else b""
    server_info = msgspec.json.encode(stamp.server_info)
    return (
        b'{"resultType":"complete",'
        + members
        + caching
        + b',"_meta":{"io.modelcontextprotocol/serverInfo":'
        + server_info
        + b"}}"
    )


def _result(info: ResourceInfo, content: Content, digest: str, form: Form, stamp: Stamp) -> bytes:
    """Return the result of reading a document over MCP, by `resources/read` or by the tool `read`."""
    is_tool = form in {Form.TOOL_HANDSHAKE, Form.TOOL_MODERN}
    if is_tool:
        members = part_members(info, content.data, digest)
    else:
        members = b'"contents":' + _contents(info, content, digest)
    if form in {Form.MCP_HANDSHAKE, Form.TOOL_HANDSHAKE}:
        return b"{" + members + b"}"
    return modern_result(members, stamp, cacheable=not is_tool)


def _etag(digest: str) -> str:
    return f'"{digest[:_ETAG_DIGITS]}"'


def _contents(info: ResourceInfo, content: Content, digest: str) -> bytes:
    item: dict[str, Any] = {"uri": info.uri, "mimeType": info.media_type}
    text = text_of(info, content.data)
    if text is None:
        item["blob"] = base64.b64encode(content.data).decode()
    else:
        item["text"] = text
    item["_meta"] = {
        f"{META_PREFIX}tokens": estimate_tokens(len(content.data)),
        f"{META_PREFIX}etag": _etag(digest),
        f"{META_PREFIX}digest": f"sha256:{digest}",
    }
    return msgspec.json.encode([item])


def text_of(info: ResourceInfo, data: bytes) -> str | None:
    """Return the text of a textual document, or None if it is not UTF-8 and must be sent as bytes."""
    if not is_textual(info.media_type):
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _raw(info: ResourceInfo, content: Content, digest: str, stamp: Stamp) -> Representation:
    is_text = text_of(info, content.data) is not None
    etag = _etag(digest)
    headers = _raw_headers(info.media_type, etag, content.entry.modified_ns, stamp, is_text=is_text)
    return _representation(content.data, etag, headers, digest)


def _raw_headers(
    media_type: str, etag: str, modified_ns: int, stamp: Stamp, *, is_text: bool
) -> list[Header]:
    charset = "; charset=utf-8" if is_text else ""
    headers = _headers(media_type + charset, etag, modified_ns, stamp)
    return [*headers, ("accept-ranges", "bytes"), *DOCUMENT_POLICY]


def _envelope(info: ResourceInfo, content: Content, digest: str, stamp: Stamp) -> Representation:
    text = text_of(info, content.data)
    members: dict[str, Any] = {
        "uri": info.canonical_uri,
        "name": info.name,
        "title": info.title,
        "description": info.description,
        "type": info.type,
        "mimeType": info.media_type,
        "size": len(content.data),
        "tokens": estimate_tokens(len(content.data)),
        "digest": f"sha256:{digest}",
    }
    # The validator leaves the modification time out: hosts of one library differ in it, and a client that
    # revalidates at another host should still get its 304.
    seed = digest.encode() + msgspec.json.encode(members)
    etag = _etag(hashlib.sha256(seed).hexdigest())
    members["etag"] = etag
    members["lastModified"] = iso8601(content.entry.modified_ns)
    members["encoding"] = "utf-8" if text is not None else "base64"
    members["content"] = text if text is not None else base64.b64encode(content.data).decode()
    headers = _headers("application/json", etag, content.entry.modified_ns, stamp)
    return _representation(msgspec.json.encode(members), etag, headers, digest)


def _outline(info: ResourceInfo, content: Content, digest: str, stamp: Stamp) -> Representation:
    sections = outline_of(info.media_type, content.data).sections
    body = msgspec.json.encode(
        {
            "uri": info.canonical_uri,
            "title": info.title,
            "mimeType": info.media_type,
            "size": len(content.data),
            "tokens": estimate_tokens(len(content.data)),
            "digest": f"sha256:{digest}",
            "href": path_of(info.canonical_uri),
            "sections": [_outlined(info, section) for section in sections],
        }
    )
    etag = _etag(hashlib.sha256(body).hexdigest())
    headers = _headers("application/json", etag, content.entry.modified_ns, stamp)
    return _representation(body, etag, headers, digest)


def _outlined(info: ResourceInfo, section: Section) -> dict[str, Any]:
    uri = section_uri(info.canonical_uri, section.slug)
    return {
        "slug": section.slug,
        "title": section.title,
        "level": section.level,
        "headingPath": section.heading_path,
        "size": section.size_bytes,
        "tokens": section.tokens,
        "uri": uri,
        "href": path_of(uri),
    }


def _compressed(plain: Representation, coding: Coding) -> Representation:
    """Compress a representation, or return it unchanged if that saves nothing."""
    body = compress(plain.body, coding) if len(plain.body) >= MIN_BYTES else plain.body
    if len(body) >= len(plain.body):
        return plain
    etag = f'{plain.etag[:-1]}+{coding.value}"'
    headers = _coded_headers(plain.headers, etag, coding)
    return _representation(body, etag, headers, plain.digest)


def _coded_headers(plain: list[Header], etag: str, coding: Coding) -> list[Header]:
    kept = [
        ("etag", etag) if name == "etag" else (name, value)
        for name, value in plain
        if name != "accept-ranges"
    ]
    return [*kept, ("content-encoding", coding.value)]


def headers_of(
    info: ResourceInfo, form: Form, etag: str, stamp: Stamp, *, is_text: bool, is_coded: bool
) -> list[Header]:
    """Return the headers that `render` gives a form whose bytes are known already.

    Args:
        info: Catalog entry of the resource: it alone decides the media type.
        form: Form of the response.
        etag: Validator of the form.
        stamp: See `Stamp`.
        is_text: Whether the document is text in UTF-8.
        is_coded: Whether the coding of the form saved anything.
    """
    if form in {Form.MCP_HANDSHAKE, Form.MCP_MODERN, Form.TOOL_HANDSHAKE, Form.TOOL_MODERN}:
        return []
    plain, coding = CODED_FORMS.get(form, (form, None))
    if plain is Form.RAW:
        headers = _raw_headers(
            info.media_type, etag, info.modified_ns, stamp, is_text=is_text and is_textual(info.media_type)
        )
    else:
        headers = _headers("application/json", etag, info.modified_ns, stamp)
    return _coded_headers(headers, etag, coding) if is_coded and coding is not None else headers


_LONGEST_ESCAPE = 6
"""Maximum length of one byte of text in JSON, as in `\\u0000`; Base64 takes less."""

_MEMBERS_BYTES = 64 * 1024
"""Allowance for all else in a JSON form: URIs are limited to 2 KiB, and titles and descriptions are short."""


def longest_body(info: ResourceInfo, form: Form) -> int:
    """Return the maximum length of a form in bytes, before any coding, by the size of its document."""
    plain, _ = CODED_FORMS.get(form, (form, None))
    return info.size if plain is Form.RAW else _LONGEST_ESCAPE * info.size + _MEMBERS_BYTES


def _representation(body: bytes, etag: str, headers: list[Header], digest: str) -> Representation:
    return Representation(body, etag, headers, digest, [*headers, X_CACHE[ServedFrom.HIT]])


def _headers(content_type: str, etag: str, modified_ns: int, stamp: Stamp) -> list[Header]:
    return [
        ("content-type", content_type),
        ("etag", etag),
        ("last-modified", http_date(modified_ns)),
        ("cache-control", f"max-age={stamp.client_ttl_ms // 1000}, must-revalidate"),
        VARY,
        ("x-content-type-options", "nosniff"),
    ]


def listed(info: ResourceInfo) -> dict[str, Any]:
    """Describe a resource as in JSON listings, over HTTP and on the command line."""
    return {
        "uri": info.uri,
        "name": info.name,
        "title": info.title,
        "description": info.description,
        "type": info.type,
        "mimeType": info.media_type,
        "size": info.size,
        "tokens": info.tokens,
        "lastModified": iso8601(info.modified_ns),
    }


def http_date(unix_ns: int) -> str:
    """Format a time as required by RFC 9110, section 5.6.7; times out of range become 1970."""
    try:
        return formatdate(unix_ns // 1_000_000_000, usegmt=True)
    except (OverflowError, ValueError, OSError):
        return formatdate(0, usegmt=True)


def iso8601(unix_ns: int) -> str:
    """Format a time as in RFC 3339, in UTC; times out of range become 1970."""
    from datetime import UTC, datetime

    try:
        moment = datetime.fromtimestamp(unix_ns // 1_000_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        moment = datetime.fromtimestamp(0, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
