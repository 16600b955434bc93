"""Streamable HTTP for both eras at one endpoint, `/mcp`: JSON answers, and streams of notifications."""

from __future__ import annotations

from choirbook.errors import (
    Era,
    InvalidRequest,
    NotAcceptable,
    RequestError,
    UnsupportedMediaType,
)
from choirbook.http.exchange import Answer, Headers, Request
from choirbook.mcp.dispatch import ACCEPTED, Dispatcher, failed
from choirbook.mcp.messages import Batch, Decoded, Malformed, Message, PostedResponse, decode
from choirbook.mcp.protocol import (
    Call,
    Fault,
    accept_posted,
    batch_fault,
    claims_modern,
    handshake_revision,
    is_modern_header,
    refuse,
    version_headers,
)
from choirbook.mcp.revisions import BATCHING
from choirbook.mcp.sessions.http import HttpSessions

ENDPOINT = "/mcp"

_JSON = "application/json"


class StreamableHttp:
    """The endpoint.

    Args:
        dispatcher: Carries out calls.
        sessions: Sessions of the handshake era.
    """

    def __init__(self, dispatcher: Dispatcher, sessions: HttpSessions) -> None:
        self._dispatcher = dispatcher
        self._sessions = sessions

    def respond(self, request: Request) -> Answer:
        """Answer a request to the endpoint; never raises."""
        headers = request.headers
        if request.method != "POST":
            return self._sessions.respond(request)
        accept = headers.get("accept")
        # Nearly every client sends exactly this spelling of the type.
        if headers.get("content-type") != _JSON or (accept is not None and _JSON not in accept):
            error = _transport_error(headers)
            if error is not None:
                return failed(Fault(error, _header_era(version_headers(headers))))
        decoded = decode(request.body)
        if type(decoded) is Message:
            call = accept_posted(decoded, headers, request)
            if not isinstance(call, Call):
                return failed(call)
            if call.era is Era.HANDSHAKE:
                return self._sessions.carry_out(call, request)
            return self._dispatcher.carry_out(call)
        return self._respond_to_other(decoded, headers)

    def _respond_to_other(self, decoded: Decoded, headers: Headers) -> Answer:
        versions = version_headers(headers)
        if isinstance(decoded, Malformed):
            return failed(refuse(decoded, versions))
        if isinstance(decoded, PostedResponse):
            return self._respond_to_response(headers, versions)
        assert isinstance(decoded, Batch), "a message was answered"
        return self._respond_to_batch(decoded, headers, versions)

    def _respond_to_batch(self, batch: Batch, headers: Headers, versions: list[str]) -> Answer:
        if (
            any(claims_modern(item) for item in batch.items)
            or is_modern_header(versions)
            or handshake_revision(versions) not in BATCHING
        ):
            return failed(batch_fault(versions))
        return self._sessions.within(
            headers,
            lambda session: self._dispatcher.carry_out_batch(
                batch, lambda item: refuse(item, versions), session
            ),
        )

    def _respond_to_response(self, headers: Headers, versions: list[str]) -> Answer:
        if is_modern_header(versions):
            return failed(
                Fault(
                    InvalidRequest(
                        "Clients send no responses in this revision. Send requests or notifications."
                    ),
                    Era.MODERN,
                )
            )
        return self._sessions.within(headers, lambda _: ACCEPTED)


def _transport_error(headers: Headers) -> RequestError | None:
    if headers.get("accept") is not None and not _accepts_json(headers):
        return NotAcceptable(
            "Answers are sent as application/json or text/event-stream. Include both in Accept."
        )
    if not _is_json(headers.get("content-type", "")):
        return UnsupportedMediaType("The body must be application/json.")
    return None


def _header_era(versions: list[str]) -> Era:
    return Era.MODERN if is_modern_header(versions) else Era.HANDSHAKE


def _accepts_json(headers: Headers) -> bool:
    return any(kind in line for line in headers.get_all("accept") for kind in (_JSON, "*/*", "application/*"))


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == _JSON
