"""How the workers of one server wake each other: a datagram socket each, in a directory they share.

A worker is known by the name of its socket. The system drops the socket with the process, however it ends, so
a name that nobody listens to is that of a worker that is gone. Blocking, but for `listen`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

log = logging.getLogger("choirbook.workers")

MAX_MESSAGE_BYTES = 8192
"""Room for a URI of the greatest length, spelt in JSON, and for what a worker tells of itself."""

PATIENCE_S = 0.5
"""How long a worker whose queue is full is waited for. What it misses it finds out by itself, later."""

_SUFFIX = ".bell"


class Bell:
    """One worker's bell.

    Args:
        directory: The one that all workers share, private to their user.

    Raises:
        OSError: The socket cannot be made.
    """

    def __init__(self, directory: Path) -> None:
        # By its descriptor, as the path of a socket is 107 bytes at most and that of a directory is not.
        self._directory = os.open(directory, os.O_PATH | os.O_DIRECTORY)
        self.name = secrets.token_hex(8)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(0)
        self._socket.bind(self._path(self.name))
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sender.settimeout(PATIENCE_S)

    def listen(self, heard: Callable[[bytes], None]) -> None:
        """Have a function called on the running event loop with each message."""
        asyncio.get_running_loop().add_reader(self._socket, self._receive, heard)

    def ring(self, name: str, *messages: bytes) -> bool:
        """Send messages to one worker; those after one that it does not take are not sent.

        Args:
            name: The worker's.
            *messages: Of at most `MAX_MESSAGE_BYTES` each.

        Returns:
            Whether that worker is alive.
        """
        try:
            for message in messages:
                self._sender.sendto(message, self._path(name))
        except (ConnectionRefusedError, FileNotFoundError):
            self._clear(name)
            return False
        except OSError as error:
            log.warning("cannot notify another worker: %s", error)
        return True

    def is_alive(self, name: str) -> bool:
        """Tell whether a worker is alive, without a message that would wait for it."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(self._path(name))
            except (ConnectionRefusedError, FileNotFoundError):
                self._clear(name)
                return False
        return True

    def ring_others(self, message: bytes) -> set[str]:
        """Send a message to all other workers.

        Returns:
            The names of those that are alive.
        """
        others = {
            path.stem
            for path in Path(f"/proc/self/fd/{self._directory}").iterdir()
            if path.suffix == _SUFFIX and path.stem != self.name
        }
        return {name for name in others if self.ring(name, message)}

    def deafen(self) -> None:
        """Take `listen` back."""
        asyncio.get_running_loop().remove_reader(self._socket)

    def close(self) -> None:
        """Take the bell down; nobody listens to it any more."""
        with suppress(OSError):
            os.unlink(self.name + _SUFFIX, dir_fd=self._directory)
        self._socket.close()
        self._sender.close()
        os.close(self._directory)

    def _clear(self, name: str) -> None:
        """Remove what a worker that is gone has left."""
        with suppress(OSError):
            os.unlink(name + _SUFFIX, dir_fd=self._directory)

    def _receive(self, heard: Callable[[bytes], None]) -> None:
        with suppress(BlockingIOError):
            while True:
                heard(self._socket.recv(MAX_MESSAGE_BYTES))

    def _path(self, name: str) -> str:
        return f"/proc/self/fd/{self._directory}/{name}{_SUFFIX}"
