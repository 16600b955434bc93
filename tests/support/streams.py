"""Open streams of notifications, as a client sees them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

from tests.support.servers import message

SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId"
EVENTS = "text/event-stream"
BOTH = f"application/json, {EVENTS}"
REVISION = "2025-11-25"


class Events:
    """The events of one response. Waiting for one takes as long as the client's timeout at most."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def next(self) -> Any:
        """Return the next message, comments passed over."""
        while True:
            field, _, value = self.line().partition(": ")
            if field == "data":
                return json.loads(value)

    def line(self) -> str:
        """Return the next line, whatever it is."""
        return next(self._lines)

    def rest(self) -> list[Any]:
        """Return all messages up to the end of the stream."""
        return [json.loads(line.removeprefix("data: ")) for line in self._lines if line.startswith("data: ")]


@contextmanager
def listening(
    client: httpx.Client, uris: Sequence[str] | None = None, id_: int | str = "sub", **wanted: bool
) -> Iterator[Events]:
    """Open a modern stream for as long as the context lasts."""
    asked: dict[str, Any] = dict(wanted) if uris is None else {**wanted, "resourceSubscriptions": list(uris)}
    with client.stream(
        "POST",
        "/mcp",
        json=message("modern", "subscriptions/listen", id_, notifications=asked),
        headers={
            "accept": BOTH,
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": "subscriptions/listen",
        },
    ) as response:
        yield Events(response)


def initialize(client: httpx.Client, **headers: str) -> httpx.Response:
    """Shake hands as a client does that can read streams."""
    about = {"protocolVersion": REVISION, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    sent = message("handshake", "initialize", "init", **about)
    return client.post("/mcp", json=sent, headers={"accept": BOTH, **headers})


def begin_session(client: httpx.Client) -> str:
    """Shake hands and return the session's id."""
    return initialize(client).headers["mcp-session-id"]


def in_session(client: httpx.Client, session: str, method: str, **params: Any) -> httpx.Response:
    """Call a method within a session."""
    headers = {"accept": BOTH, "mcp-session-id": session, "mcp-protocol-version": REVISION}
    return client.post("/mcp", json=message("handshake", method, **params), headers=headers)


@contextmanager
def session_stream(client: httpx.Client, session: str, accept: str = EVENTS) -> Iterator[Events]:
    """Open a session's stream for as long as the context lasts."""
    headers = {"accept": accept, "mcp-session-id": session, "mcp-protocol-version": REVISION}
    with client.stream("GET", "/mcp", headers=headers) as response:
        yield Events(response)


def end_session(client: httpx.Client, session: str) -> httpx.Response:
    """End a session as a client does."""
    return client.delete("/mcp", headers={"mcp-session-id": session})


def updated(uri: str, id_: int | str | None = "sub") -> dict[str, Any]:
    """Return the notification of a change, as the protocol has it."""
    return _notification("notifications/resources/updated", {"uri": uri}, id_)


def list_changed(id_: int | str | None = "sub") -> dict[str, Any]:
    """Return the notification of a changed listing, as the protocol has it."""
    return _notification("notifications/resources/list_changed", {}, id_)


def _notification(method: str, params: dict[str, Any], id_: int | str | None) -> dict[str, Any]:
    meta = {} if id_ is None else {"_meta": {SUBSCRIPTION_ID: id_}}
    together = {**meta, **params}
    return {"jsonrpc": "2.0", "method": method, **({"params": together} if together else {})}
