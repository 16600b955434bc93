"""Address of Redis: `--redis URL`. Pure.

Parsed here, not by the client library, which takes any option out of a URL's query, deadlines too, and reads
`redis://host/zero` as database 0 (docs/adr/0020). No message and no `repr` shows the URL: it may hold a
password.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import msgspec

from choirbook.errors import InvalidSettings
from choirbook.text.loopback import is_loopback

DEFAULT_PORT = 6379

_MAX_DATABASE = 1_000_000
_TLS_OPTIONS = {"ca": "ca_file", "cert": "cert_file", "key": "key_file"}
_FORMS = "redis://[user:password@]host[:port][/database], rediss://... (TLS), or unix:///path?db=0"


class RedisUrl(msgspec.Struct, frozen=True, kw_only=True):
    """Address of Redis, with credentials."""

    host: str = ""
    port: int = DEFAULT_PORT
    socket: str = ""
    """Path of a Unix socket; used instead of host and port if it is not empty."""
    database: int = 0
    username: str | None = None
    password: str | None = None
    tls: bool = False
    ca_file: str | None = None
    """PEM file of the certificate authorities to trust for the server; the system's if None."""
    cert_file: str | None = None
    key_file: str | None = None

    @property
    def place(self) -> str:
        """Address without names and passwords, fit for the log."""
        return f"{self.socket or f'{self.host}:{self.port}'}, database {self.database}"

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine: a Unix socket, or a host that names or is a loopback address."""
        return bool(self.socket) or is_loopback(self.host)

    def __repr__(self) -> str:
        return f"RedisUrl({self.place})"


def parse_redis_url(text: str) -> RedisUrl:
    """Parse an address.

    Args:
        text: `redis://`, `rediss://` (with `?ca=`, `cert=` and `key=` for files) or `unix://`.

    Raises:
        InvalidSettings: It is not such a URL; the message says what is wrong with it and never shows it.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _unusable("its host or port is invalid") from None
    if any(not " " < character < "\x7f" for character in text):
        raise _unusable("it has spaces, control or non-ASCII characters; percent-encode them")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.scheme == "unix":
        return RedisUrl(
            socket=_socket(parts),
            database=_database(options.pop("db", "")),
            username=_unquoted(parts.username),
            password=_unquoted(parts.password),
        )
    if parts.scheme not in {"redis", "rediss"}:
        raise _unusable("it must begin with redis://, rediss:// or unix://")
    if not parts.hostname:
        raise _unusable("it has no host")
    return RedisUrl(
        host=parts.hostname,
        port=DEFAULT_PORT if port is None else port,
        database=_database(options.pop("db", "") or parts.path.removeprefix("/")),
        username=_unquoted(parts.username),
        password=_unquoted(parts.password),
        tls=parts.scheme == "rediss",
        **_files(options, tls=parts.scheme == "rediss"),
    )


def _unquoted(text: str | None) -> str | None:
    return unquote(text) if text else None


def _socket(parts: SplitResult) -> str:
    if parts.hostname or not parts.path.startswith("/") or parts.path == "/":
        raise _unusable("it has no socket path; the path begins with three slashes")
    return unquote(parts.path)


def _database(text: str) -> int:
    if text == "":
        return 0
    if not (text.isascii() and text.isdigit()) or int(text) > _MAX_DATABASE:
        raise _unusable("its database is not a number")
    return int(text)


def _files(options: dict[str, str], *, tls: bool) -> dict[str, Any]:
    unknown = sorted(options.keys() - _TLS_OPTIONS.keys())
    if unknown or (options and not tls):
        raise _unusable("its query may have only db, and with rediss:// ca, cert and key")
    return {_TLS_OPTIONS[name]: value for name, value in options.items()}


def _unusable(why: str) -> InvalidSettings:
    return InvalidSettings(f"The URL of Redis is invalid: {why}. Write {_FORMS}.")
