"""Requests as bytes. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from choirbook_perf.targets import FIRST_ID, Request, Session, numbered


class Encoded:
    """A request whose bytes are ready, but for the headers and ids of a session."""

    __slots__ = ("_body", "_head")

    def __init__(self, request: Request) -> None:
        parts = urlsplit(request.url)
        path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        headers = {"Host": parts.netloc.rpartition("@")[2], **request.headers}
        if request.body is not None:
            headers["Content-Length"] = str(len(request.body))
        self._head = f"{request.method} {path} HTTP/1.1\r\n{_lines(headers)}".encode("latin-1")
        self._body = b"\r\n" + (request.body or b"")

    def bytes(self, session_lines: bytes = b"", id_: int = FIRST_ID) -> bytes:
        """Return the bytes to send.

        Args:
            session_lines: Header lines of the session, from `session_lines`.
            id_: Id of the request, which is used once in a session.
        """
        body = self._body if id_ == FIRST_ID else numbered(self._body, id_)
        return self._head + session_lines + body


def session_lines(session: Session) -> bytes:
    """Return the header lines of a session."""
    return _lines(session.headers()).encode("latin-1")


def _lines(headers: dict[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())
