"""Datagram sockets by which the workers of one server notify each other, in a directory that they share.

A worker is identified by the name of its socket. The system closes the socket when the process ends, however
it ends, so a name without a listener belongs to a dead worker. Blocking, except for `listen`.
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
"""Limit of one message, in bytes: a URI of maximum length in JSON, or the state that a worker reports."""

PATIENCE_S = 0.5
"""Maximum wait, in seconds, for a worker whose queue is full. It detects later by itself what it missed."""

_SUFFIX = ".mailbox"


class Mailbox:
    """The socket of one worker.

    Args:
        directory: Shared by all workers, accessible to their user only.

    Raises:
        OSError: The socket cannot be created.
    """

    def __init__(self, directory: Path) -> None:
        # By descriptor: the path of a socket is limited to 107 bytes, that of a directory is not.
        self._directory = os.open(directory, os.O_PATH | os.O_DIRECTORY)
        self.name = secrets.token_hex(8)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(0)
        self._socket.bind(self._path(self.name))
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sender.settimeout(PATIENCE_S)

    def listen(self, on_message: Callable[[bytes], None]) -> None:
        """Register a function to call on the running event loop with each message."""
        asyncio.get_running_loop().add_reader(self._socket, self._receive, on_message)

    def send(self, name: str, *messages: bytes) -> bool:
        """Send messages to one worker, until one is not accepted.

        Args:
            name: Name of the worker.
            *messages: Messages of at most `MAX_MESSAGE_BYTES` each.

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
        """Return whether a worker is alive, without sending it a message."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(self._path(name))
            except (ConnectionRefusedError, FileNotFoundError):
                self._clear(name)
                return False
        return True

    def send_to_others(self, message: bytes) -> set[str]:
        """Send a message to all other workers.

        Returns:
            The names of the workers that are alive.
        """
        others = {
            path.stem
            for path in Path(f"/proc/self/fd/{self._directory}").iterdir()
            if path.suffix == _SUFFIX and path.stem != self.name
        }
        return {name for name in others if self.send(name, message)}

    def stop_listening(self) -> None:
        """Undo `listen`."""
        asyncio.get_running_loop().remove_reader(self._socket)

    def close(self) -> None:
        """Close the socket; it receives no more messages."""
        with suppress(OSError):
            os.unlink(self.name + _SUFFIX, dir_fd=self._directory)
        self._socket.close()
        self._sender.close()
        os.close(self._directory)

    def _clear(self, name: str) -> None:
        """Remove the socket of a dead worker."""
        with suppress(OSError):
            os.unlink(name + _SUFFIX, dir_fd=self._directory)

    def _receive(self, on_message: Callable[[bytes], None]) -> None:
        with suppress(BlockingIOError):
            while True:
                on_message(self._socket.recv(MAX_MESSAGE_BYTES))

    def _path(self, name: str) -> str:
        return f"/proc/self/fd/{self._directory}/{name}{_SUFFIX}"
