"""Client of the admin API, over a Unix socket or a loopback port."""

from __future__ import annotations

import socket
from http.client import HTTPConnection, HTTPException
from typing import TypeVar

import msgspec

from choirbook.errors import CallRefused, InvalidSettings, NotChoirbook, ServerUnreachable, TokenRefused
from choirbook.runtime.admin_address import AdminAddress, UnixAddress, parse_admin_address
from choirbook.settings import Settings

TIMEOUT_S = 15.0
"""Maximum wait for an answer, in seconds: a server reports a stuck worker after a few seconds."""

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""Maximum size of an answer that may not come from an admin API; the largest number of workers needs a
tenth of it."""

_UNAUTHORISED = 401
_FIRST_ERROR = 400

_Answer = TypeVar("_Answer", bound=msgspec.Struct)


class _Problem(msgspec.Struct, frozen=True):
    detail: str


class AdminClient:
    """Client of one server's admin API.

    Args:
        settings: Address and token of the server; see `token.with_token`.

    Raises:
        InvalidSettings: They have no address.
    """

    def __init__(self, settings: Settings) -> None:
        if not settings.admin:
            raise InvalidSettings(
                "No admin address is set. Pass the one that the server was started with: --admin ADDRESS "
                "or CHOIRBOOK_ADMIN."
            )
        self._address = parse_admin_address(settings.admin)
        self._token = settings.admin_token

    def call(self, path: str, body: object, answer: type[_Answer]) -> _Answer:
        """Make a call.

        Args:
            path: Path of the call.
            body: Value to send as JSON.
            answer: Type of the answer.

        Raises:
            ServerUnreachable: No server answers.
            NotChoirbook: Another program answers.
            TokenRefused: The server requires a different token.
            CallRefused: The server refuses the call.
        """
        status, raw = self._exchange(path, msgspec.json.encode(body))
        try:
            if status < _FIRST_ERROR:
                return msgspec.json.decode(raw, type=answer)
            detail = msgspec.json.decode(raw, type=_Problem).detail
        except msgspec.DecodeError as error:
            raise NotChoirbook(
                f"The program at {self._address} is not Choirbook's admin listener. Pass the address that "
                "the "
                "server prints after 'Admin' when it starts."
            ) from error
        raise (TokenRefused if status == _UNAUTHORISED else CallRefused)(detail)

    def _exchange(self, path: str, body: bytes) -> tuple[int, bytes]:
        connection = _connection(self._address)
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            return response.status, response.read(MAX_ANSWER_BYTES)
        except TimeoutError as error:
            raise ServerUnreachable(
                f"The server at {self._address} did not answer within {TIMEOUT_S:g} s. See its log for the "
                "reason."
            ) from error
        except PermissionError as error:
            raise ServerUnreachable(
                f"No permission to open {self._address}. Run this command as the user who runs the server."
            ) from error
        except (OSError, HTTPException) as error:
            reason = (
                error.strerror
                if isinstance(error, OSError) and error.strerror
                else ("it closed the connection")
            )
            raise ServerUnreachable(
                f"No server answers at {self._address} ({reason}). Start it with --admin {self._address}, "
                "or pass the address that it prints when it starts."
            ) from error
        finally:
            connection.close()


class _UnixConnection(HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connection(address: AdminAddress) -> HTTPConnection:
    if isinstance(address, UnixAddress):
        return _UnixConnection(address.path)
    return HTTPConnection(address.host, address.port, timeout=TIMEOUT_S)
