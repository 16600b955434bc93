"""Access to a server: headers of the user, such as a token, and trust in its certificate.

Values of headers are secrets: they are in the requests of a plan, and never in a result, message or log.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable
from pathlib import Path

import msgspec

from choirbook_perf.errors import BadInput
from choirbook_perf.targets import Request

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OWN = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "mcp-method",
        "mcp-name",
        "mcp-protocol-version",
        "mcp-session-id",
        "transfer-encoding",
    }
)
"""Headers that the protocol sets."""


class Tls(msgspec.Struct, frozen=True):
    """Trust in a server's certificate."""

    ca: str = ""
    """File with certificates of authorities in PEM; "" for those of the system."""
    is_insecure: bool = False
    """Whether any certificate is accepted."""

    def context(self) -> ssl.SSLContext:
        """Return a context for connections.

        Raises:
            BadInput: The file cannot be used.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
        except OSError as error:  # ssl.SSLError is one
            reason = "it has no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror
            raise BadInput(f"The file {self.ca} of --ca cannot be used: {reason}.") from error
        if self.is_insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class Access(msgspec.Struct, frozen=True):
    """Headers of the user, and trust in the server."""

    headers: tuple[tuple[str, str], ...] = ()
    tls: Tls = Tls()

    def __repr__(self) -> str:
        """Return a text without the values of headers."""
        return f"Access(headers={[name for name, _ in self.headers]}, tls={self.tls})"

    def prepare(self, request: Request) -> Request:
        """Return a request with the user's headers; they replace headers of the same name."""
        if not self.headers:
            return request
        names = {name.lower() for name, _ in self.headers}
        kept = {name: value for name, value in request.headers.items() if name.lower() not in names}
        return request._replace(headers={**kept, **dict(self.headers)})


def access(headers: Iterable[str], header_file: Path | None, ca: Path | None, *, is_insecure: bool) -> Access:
    """Return the access that the options of a command describe.

    Args:
        headers: Values of `--header`, such as `Authorization: Bearer abc`.
        header_file: File with one header a line; empty lines and lines that begin with `#` are skipped.
        ca: File with certificates of authorities in PEM.
        is_insecure: Whether any certificate is accepted.

    Raises:
        BadInput: A header or a file cannot be used. The message has no value of a header.
    """
    found = [_header(text, f"--header number {number}") for number, text in enumerate(headers, 1)]
    found += _of_file(header_file) if header_file else []
    names = [name.lower() for name, _ in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise BadInput(f"The header {min(twice)} is given twice. Give it once.")
    tls = Tls(str(ca.resolve()) if ca else "", is_insecure)
    if ca or is_insecure:
        tls.context()
    return Access(tuple(found), tls)


def _of_file(path: Path) -> list[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadInput(f"The file {path} of --header-file cannot be read: {reason}.") from error
    return [
        _header(line, f"line {number} of {path}")
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.startswith("#")
    ]


def _header(text: str, where: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    name, value = name.strip(), value.strip()
    if not colon or not _NAME.fullmatch(name):
        raise BadInput(f"{where} is not a header. Write it as 'Name: value'.")
    if not _VALUE.fullmatch(value):
        raise BadInput(f"{where}, {name}, has a character that no header can have, such as a line break.")
    if name.lower() in _OWN:
        raise BadInput(f"{where} sets {name}, which the protocol sets. Leave it out.")
    return name, value
