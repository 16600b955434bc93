"""Token of the admin API: read from the settings or a private file, and checked for each call."""

from __future__ import annotations

import hmac
import os
import stat
from pathlib import Path

import msgspec

from choirbook.errors import InvalidSettings, Unauthenticated
from choirbook.http.exchange import Headers
from choirbook.settings import Settings, check_admin_token

_MAX_TOKEN_FILE_BYTES = 4096
_OTHERS = 0o006
_SCHEME = "bearer"


def with_token(settings: Settings) -> Settings:
    """Return settings with the token itself, if they named a file.

    Raises:
        InvalidSettings: The file has no token.
    """
    path = settings.admin_token_file
    if path is None or not settings.admin:
        return settings
    try:
        with path.open("rb") as file:
            _refuse_open_file(path, os.fstat(file.fileno()).st_mode)
            token = file.read(_MAX_TOKEN_FILE_BYTES).decode("ascii", "replace").strip()
    except OSError as error:
        raise InvalidSettings(f"The admin token file {path} cannot be read: {error.strerror}.") from error
    check_admin_token(token, f"The token in {path}")
    return msgspec.structs.replace(settings, admin_token=token, admin_token_file=None)


def check_token(headers: Headers, expected: bytes) -> None:
    """Check the bearer token of a call (RFC 6750, section 2.1).

    Args:
        headers: Headers of the call.
        expected: Token that it must send; empty if everyone who can connect may call.

    Raises:
        Unauthenticated: It is missing or wrong.
    """
    if not expected:
        return
    given = headers.get_all("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    # In constant time, which reveals nothing about how much of it was right.
    is_right = hmac.compare_digest(token.strip().encode("utf-8", "replace"), expected)
    if scheme.lower() != _SCHEME or not is_right:
        raise Unauthenticated(
            "This call needs the server's admin token. Send it as 'Authorization: Bearer TOKEN'; "
            "'choirbook cache' takes it from CHOIRBOOK_ADMIN_TOKEN or --admin-token-file."
        )


def _refuse_open_file(path: Path, mode: int) -> None:
    """Reject a token file that every user of the machine can read or write.

    Its group may read it: Kubernetes passes a secret this way to a container that is not root (`fsGroup`).

    Raises:
        InvalidSettings: Its mode gives others access.
    """
    # The mode of a pipe or a device does not tell who else can read its content.
    if stat.S_ISREG(mode) and mode & _OTHERS:
        raise InvalidSettings(
            f"The admin token file {path} is accessible to every user of this machine (mode "
            f"{stat.S_IMODE(mode):04o}). Run: chmod o= {path}. For a Kubernetes secret, set 'defaultMode: "
            "0440' on its volume."
        )
