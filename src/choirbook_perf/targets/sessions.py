"""Sessions of the handshake era: how a user opens one, adds it to requests, loses it and ends it. Pure.

A generator does the sending. For each user::

    if plan.handshake:
        opened = sessions.opened(*send(plan.handshake.initialize))     # a failure, or a session
        send(opened.session.prepare(plan.handshake.initialized))
    send(session.prepare(operation.request))                           # as often as wanted, `numbered`
    if session.is_lost(status): open a new one, and count the request as it was answered
    if session.id: send(session.prepare(plan.handshake.end))           # also for sessions opened too late
"""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

import msgspec

from choirbook_perf.targets.operations import Request
from choirbook_perf.targets.replies import Headers, decode_reply

_MAX_REASON = 200


class Handshake(msgspec.Struct, frozen=True, kw_only=True):
    """Ready requests that open and end a session."""

    initialize: Request
    initialized: Request
    """Notification after the reply to `initialize`; its response has no content."""
    end: Request
    """DELETE, only for a session with an id."""


class Session(NamedTuple):
    """Identity that a server gave to one user: empty in the modern era and over plain HTTP."""

    id: str = ""
    """"" on a server without sessions."""
    version: str = ""
    """Protocol version as negotiated, "" without a handshake."""

    def headers(self) -> dict[str, str]:
        """Return the headers that every request of the user has."""
        headers = {"MCP-Protocol-Version": self.version} if self.version else {}
        return {**headers, "Mcp-Session-Id": self.id} if self.id else headers

    def prepare(self, request: Request) -> Request:
        """Return a request with the headers of the session."""
        headers = self.headers()
        return request._replace(headers={**request.headers, **headers}) if headers else request

    def is_lost(self, status: int) -> bool:
        """Return whether a response says that the server no longer knows the session."""
        return bool(self.id) and status == HTTPStatus.NOT_FOUND


class Opened(NamedTuple):
    """Result of opening a session."""

    session: Session
    failure: str = ""


class _Hello(msgspec.Struct, frozen=True, rename="camel"):
    protocol_version: str


def opened(status: int, headers: Headers, body: bytes) -> Opened:
    """Evaluate the response to `initialize`."""
    # Also of a failed handshake: what was opened has to be ended.
    session_id = str(headers.get("mcp-session-id") or "")
    reply = decode_reply(headers, body)
    if reply is not None and reply.error is not None:
        failure = f"JSON-RPC error {reply.error.code}: {reply.error.message}"
    elif reply is None or not bytes(reply.result):
        failure = "the answer is not a JSON-RPC reply" if status == HTTPStatus.OK else f"status {status}"
    else:
        try:
            return Opened(
                Session(session_id, msgspec.json.decode(reply.result, type=_Hello).protocol_version)
            )
        except msgspec.MsgspecError:
            failure = "the result has no protocol version"
    return Opened(Session(session_id), f"initialize: {failure}"[:_MAX_REASON])
