"""Media types by file name, the same on every host (the `mimetypes` module reads the host's tables)."""

from __future__ import annotations

_TEXT = {
    "md": "text/markdown",
    "markdown": "text/markdown",
    "txt": "text/plain",
    "rst": "text/x-rst",
    "adoc": "text/asciidoc",
    "csv": "text/csv",
    "html": "text/html",
    "htm": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "mjs": "text/javascript",
    "ts": "text/x-typescript",
    "py": "text/x-python",
    "go": "text/x-go",
    "rs": "text/x-rust",
    "java": "text/x-java",
    "c": "text/x-c",
    "h": "text/x-c",
    "sh": "text/x-sh",
    "ini": "text/plain",
    "cfg": "text/plain",
    "sql": "application/sql",
    "json": "application/json",
    "xml": "application/xml",
    "xsd": "application/xml",
    "xsl": "application/xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "toml": "application/toml",
    "svg": "image/svg+xml",
}
_BINARY = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "ico": "image/vnd.microsoft.icon",
    "pdf": "application/pdf",
    "zip": "application/zip",
    "gz": "application/gzip",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "woff2": "font/woff2",
    "bin": "application/octet-stream",
}
_BY_NAME = {
    "dockerfile": "text/plain",
    "makefile": "text/plain",
    "license": "text/plain",
    "notice": "text/plain",
}

UNKNOWN = "application/octet-stream"
PLAIN = "text/plain"


def media_type_of(path: str, head: bytes = b"") -> str:
    """Return the media type of a document, without parameters.

    Args:
        path: Decides by its extension, if that is known.
        head: First bytes; decides between plain text and `application/octet-stream` otherwise.
    """
    name = path.rpartition("/")[2].lower()
    ending = name.rpartition(".")[2] if "." in name else ""
    known = _TEXT.get(ending) or _BINARY.get(ending) or _BY_NAME.get(name)
    if known:
        return known
    return PLAIN if _looks_like_text(head) else UNKNOWN


def is_textual(media_type: str) -> bool:
    """Return whether documents of a media type are text, which is sent as a string if it is UTF-8."""
    return media_type.startswith("text/") or media_type in _TEXTUAL or media_type.endswith(("+xml", "+json"))


def is_xml(media_type: str) -> bool:
    """Return whether documents of a media type are XML (RFC 7303)."""
    return media_type in {"application/xml", "text/xml"} or media_type.endswith("+xml")


_TEXTUAL = frozenset(kind for kind in _TEXT.values() if not kind.startswith("text/"))


def _looks_like_text(head: bytes) -> bool:
    if not head or b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The head may end inside a character; anything earlier is not text.
        return error.start >= len(head) - 3
    return True
