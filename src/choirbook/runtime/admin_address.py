"""Address of the admin API, as settings and commands write it: `unix:PATH` or `127.0.0.1:PORT`. Pure."""

from __future__ import annotations

import re

import msgspec

from choirbook.errors import InvalidSettings
from choirbook.text.loopback import is_loopback

MAX_PATH_BYTES = 107
"""Maximum length of a socket path (`sockaddr_un`, unix(7)), without the terminating zero byte."""

_UNIX = "unix:"
_TCP = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]+):(?P<port>[0-9]{1,5})\Z")
_MAX_PORT = 65535


class UnixAddress(msgspec.Struct, frozen=True):
    """A Unix socket that only its owner may open."""

    path: str

    def __str__(self) -> str:
        return _UNIX + self.path


class LoopbackAddress(msgspec.Struct, frozen=True):
    """A TCP port of this machine. Any local user can connect, hence the token."""

    host: str
    port: int
    """Port number; 0 lets the system choose."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


AdminAddress = UnixAddress | LoopbackAddress


def parse_admin_address(text: str) -> AdminAddress:
    """Parse an address.

    Raises:
        InvalidSettings: The text is not an address, or users of other machines could reach it.
    """
    if text.startswith(_UNIX):
        return _unix(text.removeprefix(_UNIX))
    found = _TCP.match(text)
    if found is None:
        raise InvalidSettings(
            f"The admin address {text[:100]!r} is malformed. Write unix:PATH or 127.0.0.1:PORT."
        )
    host, port = found["host"].strip("[]"), int(found["port"])
    if not is_loopback(host):
        raise InvalidSettings(
            f"The admin address {text[:100]!r} may be reachable from other machines. "
            "Write 127.0.0.1:PORT, or unix:PATH."
        )
    if port > _MAX_PORT:
        raise InvalidSettings(f"The port of the admin address must be a number from 0 to {_MAX_PORT}.")
    return LoopbackAddress(host, port)


def _unix(path: str) -> UnixAddress:
    if not path or "\0" in path:
        raise InvalidSettings(
            "The admin address has no path. Write unix:PATH, such as unix:/run/choirbook.sock."
        )
    if len(path.encode("utf-8", "surrogateescape")) > MAX_PATH_BYTES:
        raise InvalidSettings(
            f"The path of the admin address is longer than {MAX_PATH_BYTES} bytes, the system's limit for a "
            "socket. Choose a shorter one."
        )
    return UnixAddress(path)
