"""The listening socket of the admin API.

A socket in the file system is open to its owner alone, by its mode. It is created before the workers, which
inherit it.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from choirbook.errors import AddressUnavailable
from choirbook.runtime.admin_address import LoopbackAddress, UnixAddress, parse_admin_address
from choirbook.servers.granian.sockets import listen, port_of
from choirbook.settings import Settings

BACKLOG = 64
"""Maximum number of calls that wait to be accepted."""

_OWNER_ONLY = 0o600


@contextmanager
def listening_for_admin(settings: Settings) -> Iterator[socket.socket | None]:
    """Listen at the configured address, for as long as the context lasts; None without an address.

    Raises:
        AddressUnavailable: The address is taken, or no socket can be created there.
    """
    if not settings.admin:
        yield None
        return
    address = parse_admin_address(settings.admin)
    if isinstance(address, LoopbackAddress):
        (listener,) = listen(address.host, address.port, 1, flag="--admin")
        with listener:
            yield listener
        return
    listener = _bind(address)
    place = Path(address.path)
    own = place.lstat()
    try:
        with listener:
            yield listener
    finally:
        with suppress(OSError):
            # Another server may have taken the path meanwhile.
            if os.path.samestat(place.lstat(), own):
                place.unlink()


def spelled(settings: Settings, listener: socket.socket) -> str:
    """Return the address of admin calls, with the port that the system has chosen."""
    address = parse_admin_address(settings.admin)
    if isinstance(address, UnixAddress):
        return str(address)
    return str(msgspec.structs.replace(address, port=port_of([listener])))


def _bind(address: UnixAddress) -> socket.socket:
    _clear(address)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(address.path)
        # Nobody can connect before `listen`, so nobody has connected under another mode.
        Path(address.path).chmod(_OWNER_ONLY)
    except OSError as error:
        bound.close()
        raise AddressUnavailable(
            f"Cannot listen on {address}: {error.strerror or error}. Choose another address with --admin."
        ) from error
    bound.listen(BACKLOG)
    bound.setblocking(False)
    return bound


def _clear(address: UnixAddress) -> None:
    """Remove a socket that a killed server left behind.

    Raises:
        AddressUnavailable: Another process listens there, or it is not a socket.
    """
    try:
        mode = Path(address.path).lstat().st_mode
    except OSError:
        return  # nothing is there, or binding will report the reason
    if not stat.S_ISSOCK(mode):
        raise AddressUnavailable(f"{address} is not a socket. Choose another address with --admin.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(address.path)
        except ConnectionRefusedError:
            Path(address.path).unlink(missing_ok=True)
            return
        except OSError:
            pass  # another process is there, busy or of another user
    raise AddressUnavailable(
        f"{address} is in use by another program. Stop it, or choose another address with --admin."
    )
