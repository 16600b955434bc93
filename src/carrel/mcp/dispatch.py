"""From a decoded message to its reply, alike for every transport."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from carrel.errors import Era, InvalidRequest, MethodNotFound, RequestError, ResourceNotFound
from carrel.http import events
from carrel.http.exchange import Answer, Read, Response, Streaming, failed_read
from carrel.http.problems import NO_SNIFF, headers_for
from carrel.mcp.messages import Batch, Malformed, Message, PostedResponse
from carrel.mcp.protocol import Call, Fault, Session, error_reply, reply
from carrel.mcp.results import Feature, Method, Result
from carrel.model import X_CACHE, Header

_HEADERS: list[Header] = [("content-type", "application/json"), NO_SNIFF]
_READ_HEADERS = {origin: [*_HEADERS, header] for origin, header in X_CACHE.items()}
ACCEPTED = Response(202, [])
"""The answer to a notification."""


class Dispatcher:
    """Carries out calls by the methods of all features, which make one table for each era."""

    def __init__(self, features: Iterable[Feature]) -> None:
        self._tables: dict[Era, dict[str, Method]] = {era: {} for era in Era}
        for feature in features:
            for era, table in self._tables.items():
                table.update(feature.methods(era))

    def carry_out(self, call: Call) -> Answer:
        """Answer a call; never raises."""
        if call.id is None:
            return ACCEPTED
        method = self._tables[call.era].get(call.method)
        if method is None:
            return _failed_call(call, self._no_method(call))
        try:
            outcome = method(call)
        except RequestError as error:
            return _failed_call(call, error)
        if isinstance(outcome, Result):
            return _succeeded(call.id, outcome)
        return self._await(call, call.id, outcome)

    async def carry_out_batch(
        self, batch: Batch, refuse: Callable[[Malformed], Fault], session: Session | None = None
    ) -> Response:
        """Answer each message of a handshake-era batch, in one response.

        Args:
            batch: The messages.
            refuse: Makes the fault of a malformed one.
            session: The client's, if it has one.
        """
        bodies: list[bytes] = []
        reads: list[Read] = []
        for item in batch.items:
            answer = self._answer_item(item, refuse, session)
            response = answer if isinstance(answer, Response) else await answer
            assert isinstance(response, Response), "the era with batches has no requests that stream"
            reads += response.reads
            if response.body:
                bodies.append(response.body)
        if not bodies:
            return ACCEPTED
        return Response(200, _HEADERS, b"[" + b",".join(bodies) + b"]", tuple(reads))

    def _no_method(self, call: Call) -> MethodNotFound:
        known = ", ".join(self._tables[call.era])
        return MethodNotFound(f"There is no method {call.method[:64]!r} here. The methods are: {known}.")

    async def _await(
        self, call: Call, id_: bytes, outcome: Coroutine[Any, Any, Result]
    ) -> Response | Streaming:
        try:
            result = await outcome
            if result.stream is not None:
                return Streaming(200, events.HEADERS, result.stream)
            return _succeeded(id_, result)
        except RequestError as error:
            return _failed_call(call, error)

    def _answer_item(
        self,
        item: Message | PostedResponse | Malformed,
        refuse: Callable[[Malformed], Fault],
        session: Session | None,
    ) -> Answer:
        if isinstance(item, PostedResponse):
            return ACCEPTED
        if isinstance(item, Malformed):
            return failed(refuse(item))
        if item.method == "initialize":
            return failed(
                Fault(InvalidRequest("initialize must not be part of a batch."), Era.HANDSHAKE, item.id)
            )
        return self.carry_out(Call(item.id, item.method, item.params, Era.HANDSHAKE, item.source, session))


def failed(fault: Fault, reads: tuple[Read, ...] = ()) -> Response:
    """Make the response that tells of a fault."""
    status, body = error_reply(fault)
    return Response(status, [*_HEADERS, *headers_for(fault.error)], body, reads)


def _succeeded(id_: bytes, result: Result) -> Response:
    if result.reading is None:
        reads = () if result.failure is None else (result.failure,)
        return Response(200, _HEADERS, reply(id_, result.body), reads)
    headers = _READ_HEADERS[result.reading.served_from]
    return Response(200, headers, reply(id_, result.body), (result.reading,))


def _failed_call(call: Call, error: RequestError) -> Response:
    reads: tuple[Read, ...] = ()
    if call.method == "resources/read" and isinstance(call.params.uri, str):
        reads = (failed_read(call.params.uri, error),)
    return failed(Fault(_for_client(error), call.era, call.id), reads)


def _for_client(error: RequestError) -> RequestError:
    """Leave suggestions out of a not-found's data: the message has the nearest, both eras define `uri`."""
    if isinstance(error, ResourceNotFound) and error.data:
        return ResourceNotFound(error.message, {"uri": error.data["uri"]})
    return error
