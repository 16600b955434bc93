"""Streamable HTTP for both eras at one endpoint, `POST /mcp`; JSON answers, no sessions."""

from __future__ import annotations

from carrel.errors import (
    Era,
    InvalidRequest,
    MethodNotAllowed,
    NotAcceptable,
    RequestError,
    UnsupportedMediaType,
)
from carrel.http.exchange import Answer, Headers, Request
from carrel.mcp.dispatch import ACCEPTED, Dispatcher, failed
from carrel.mcp.messages import Batch, Malformed, Message, PostedResponse, decode
from carrel.mcp.protocol import (
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
from carrel.mcp.revisions import BATCHING

ENDPOINT = "/mcp"

_JSON = "application/json"


class StreamableHttp:
    """The endpoint."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def respond(self, request: Request) -> Answer:
        """Answer a request to the endpoint; never raises."""
        headers = request.headers
        error = _transport_error(request)
        if error is not None:
            return failed(Fault(error, _header_era(version_headers(headers))))
        decoded = decode(request.body)
        if type(decoded) is Message:
            call = accept_posted(decoded, headers)
            return self._dispatcher.carry_out(call) if isinstance(call, Call) else failed(call)
        versions = version_headers(headers)
        if isinstance(decoded, Malformed):
            return failed(refuse(decoded, versions))
        if isinstance(decoded, PostedResponse):
            return _respond_to_response(versions)
        assert isinstance(decoded, Batch)
        return self._respond_to_batch(decoded, versions)

    def _respond_to_batch(self, batch: Batch, versions: list[str]) -> Answer:
        if (
            any(claims_modern(item) for item in batch.items)
            or is_modern_header(versions)
            or handshake_revision(versions) not in BATCHING
        ):
            return failed(batch_fault(versions))
        return self._dispatcher.carry_out_batch(batch, lambda item: refuse(item, versions))


def _transport_error(request: Request) -> RequestError | None:
    if request.method != "POST":
        return MethodNotAllowed("This endpoint answers POST only.", {"allow": "POST"})
    accept = request.headers.get("accept")
    if accept is not None and _JSON not in accept and not _accepts_json(request.headers):
        return NotAcceptable("Answers are application/json. Accept it, and text/event-stream.")
    content_type = request.headers.get("content-type")
    # Nearly every client sends exactly this spelling.
    if content_type != _JSON and (content_type is None or not _is_json(content_type)):
        return UnsupportedMediaType("The body must be application/json.")
    return None


def _header_era(versions: list[str]) -> Era:
    return Era.MODERN if is_modern_header(versions) else Era.HANDSHAKE


def _accepts_json(headers: Headers) -> bool:
    return any(kind in line for line in headers.get_all("accept") for kind in (_JSON, "*/*", "application/*"))


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == _JSON


def _respond_to_response(versions: list[str]) -> Answer:
    if is_modern_header(versions):
        return failed(Fault(InvalidRequest("This revision has no responses from clients."), Era.MODERN))
    return ACCEPTED
