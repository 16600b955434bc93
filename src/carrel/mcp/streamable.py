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
from carrel.http.exchange import Answer, Request
from carrel.mcp.dispatch import ACCEPTED, Dispatcher, failed
from carrel.mcp.messages import Batch, Malformed, Message, PostedResponse, decode
from carrel.mcp.protocol import (
    Call,
    Fault,
    RoutingHeaders,
    accept_posted,
    batch_fault,
    claims_modern,
    handshake_revision,
    is_modern_header,
    refuse,
)
from carrel.mcp.revisions import BATCHING

ENDPOINT = "/mcp"


class StreamableHttp:
    """The endpoint."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def respond(self, request: Request) -> Answer:
        """Answer a request to the endpoint; never raises."""
        headers = request.headers
        versions = headers.get_all("mcp-protocol-version")
        error = _transport_error(request)
        if error is not None:
            return failed(Fault(error, _header_era(versions)))
        decoded = decode(request.body)
        if type(decoded) is Message:
            routing = RoutingHeaders(versions, headers.get_all("mcp-method"), headers.get_all("mcp-name"))
            call = accept_posted(decoded, routing)
            return self._dispatcher.carry_out(call) if isinstance(call, Call) else failed(call)
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
    if accept is not None and not (
        _accepts_json(accept) or any(_accepts_json(line) for line in request.headers.get_all("accept"))
    ):
        return NotAcceptable("Answers are application/json. Accept it, and text/event-stream.")
    content_type = request.headers.get("content-type")
    if content_type is None or not _is_json(content_type):
        return UnsupportedMediaType("The body must be application/json.")
    return None


def _header_era(versions: list[str]) -> Era:
    return Era.MODERN if is_modern_header(versions) else Era.HANDSHAKE


def _accepts_json(accept: str) -> bool:
    return "application/json" in accept or "*/*" in accept or "application/*" in accept


def _is_json(content_type: str) -> bool:
    # Nearly every client sends exactly the first spelling.
    return content_type == "application/json" or (
        content_type.partition(";")[0].strip().lower() == "application/json"
    )


def _respond_to_response(versions: list[str]) -> Answer:
    if is_modern_header(versions):
        return failed(Fault(InvalidRequest("This revision has no responses from clients."), Era.MODERN))
    return ACCEPTED
