"""Dispatch of a decoded message to its method, the same for every transport."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any, NamedTuple, Protocol

from choirbook.errors import (
    BatchTooLarge,
    Era,
    InvalidRequest,
    MethodNotFound,
    RequestError,
    ResourceNotFound,
    mcp_outcome,
)
from choirbook.http import sse
from choirbook.http.deferred import then
from choirbook.http.exchange import Answer, Operation, Read, Response, Streaming, failed_read
from choirbook.http.problems import NO_SNIFF, headers_for
from choirbook.mcp.batches import BatchReplies
from choirbook.mcp.messages import Batch, BatchItem, Malformed, Message, PostedResponse
from choirbook.mcp.operations import NOTIFICATIONS, OTHER, Operations, failed_with, succeeded
from choirbook.mcp.protocol import Call, Fault, Session, error_reply, reply
from choirbook.mcp.results import Feature, Method, Result
from choirbook.model import X_CACHE, Header
from choirbook.text.suggestions import without_suggestions

_HEADERS: list[Header] = [("content-type", "application/json"), NO_SNIFF]
_READ_HEADERS = {origin: [*_HEADERS, header] for origin, header in X_CACHE.items()}
MAX_BATCH_BYTES = 16 * 1024 * 1024
"""Default limit of the replies to one batch, in bytes."""

ACCEPTED = Response(202, [])
"""Response to a message that needs no reply."""

_NOTED = {name: Response(202, [], operations=succeeded(name)) for name in (*NOTIFICATIONS, OTHER)}


class _KnownMethod(NamedTuple):
    """A known method."""

    carry_out: Method
    succeeded: Operations
    """Operations of a successful call: built in advance, so that a read pays nothing for them."""


class CallHandler(Protocol):
    """Carries out calls: a dispatcher, or a wrapper that observes one."""

    def carry_out(self, call: Call) -> Answer:
        """See `Dispatcher.carry_out`."""

    def carry_out_batch(
        self, batch: Batch, refuse: Callable[[Malformed], Fault], session: Session | None = None
    ) -> Coroutine[Any, Any, Response]:
        """See `Dispatcher.carry_out_batch`."""


class Dispatcher:
    """Carries out calls by the methods of all features, which make one table for each era.

    Args:
        features: Parts of the protocol.
        max_batch_bytes: Maximum total length of the replies to one batch, unless the first alone is longer.
    """

    def __init__(self, features: Iterable[Feature], max_batch_bytes: int = MAX_BATCH_BYTES) -> None:
        self._max_batch_bytes = max_batch_bytes
        self._tables: dict[Era, dict[str, _KnownMethod]] = {era: {} for era in Era}
        operations: dict[str, Operations] = {}
        for feature in features:
            for era, table in self._tables.items():
                for name, method in feature.methods(era).items():
                    table[name] = _KnownMethod(method, operations.setdefault(name, succeeded(name)))
        self.operations = (
            *(operation for (operation,) in operations.values()),
            *(Operation(name) for name in NOTIFICATIONS),
        )
        """Known messages, as reported when they succeed."""

    def carry_out(self, call: Call) -> Answer:
        """Answer a call; never raises."""
        if call.id is None:
            return _NOTED.get(call.method) or _NOTED[OTHER]
        known = self._tables[call.era].get(call.method)
        if known is None:
            return _failed_call(call, self._no_method(call), OTHER)
        try:
            outcome = known.carry_out(call)
        except RequestError as error:
            return _failed_call(call, error)
        # A cached read takes this branch, and pays for every call in it.
        if isinstance(outcome, Result):
            return _succeeded(call.id, outcome, known.succeeded)
        return self._answer_later(call, call.id, outcome, known.succeeded)

    async def carry_out_batch(
        self, batch: Batch, refuse: Callable[[Malformed], Fault], session: Session | None = None
    ) -> Response:
        """Answer each message of a handshake-era batch, in one response.

        Args:
            batch: Messages of the batch.
            refuse: Creates the fault of a malformed message.
            session: Session of the client, if it has one.
        """
        replies = BatchReplies(self._max_batch_bytes)
        reads: list[Read] = []
        operations: list[Operation] = []
        # A batch of wrong URIs must not cost as many searches for similar ones.
        with without_suggestions():
            for item in batch.items:
                response = await self._answer_within(item, refuse, session, replies)
                reads += response.reads
                operations += response.operations
                if response.body:
                    replies.add(response.body)
                # A batch of cached reads never waits: let other tasks run in between.
                await asyncio.sleep(0)
        body = replies.body()
        if not body:
            return Response(202, [], operations=tuple(operations))
        return Response(200, _HEADERS, body, tuple(reads), tuple(operations))

    async def _answer_within(
        self,
        item: BatchItem,
        refuse: Callable[[Malformed], Fault],
        session: Session | None,
        replies: BatchReplies,
    ) -> Response:
        """Answer a message of a batch, with an error if there is no room for the reply."""
        if not replies.is_full or not _is_request(item):
            answer = self._answer_item(item, refuse, session)
            response = answer if isinstance(answer, Response) else await answer
            assert isinstance(response, Response), "the era with batches has no requests that stream"
            if not _is_request(item) or replies.fits(response.body):
                return response
        assert isinstance(item, Message), "nothing else is a request"
        too_large = BatchTooLarge(
            f"The replies to this batch exceed {self._max_batch_bytes} bytes in total, so this one was left "
            "out. Send the request again, alone or in a smaller batch."
        )
        return failed(Fault(too_large, Era.HANDSHAKE, item.id), (), self._name_of(item))

    def _name_of(self, message: Message) -> str:
        """Return the method of a message as it is reported to observers."""
        return message.method if message.method in self._tables[Era.HANDSHAKE] else OTHER

    def _no_method(self, call: Call) -> MethodNotFound:
        known = ", ".join(self._tables[call.era])
        return MethodNotFound(f"There is no method {call.method[:64]!r} here. The methods are: {known}.")

    def _answer_later(
        self, call: Call, id_: bytes, outcome: Coroutine[Any, Any, Result], operations: Operations
    ) -> Answer:
        # Not in `carry_out`: variables captured by a closure there would cost every call a cell.
        return then(outcome, lambda result: _answered(id_, result, operations), partial(_failed_call, call))

    def _answer_item(
        self,
        item: BatchItem,
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


def _is_request(item: BatchItem) -> bool:
    return isinstance(item, Message) and item.id is not None


def failed(fault: Fault, reads: tuple[Read, ...] = (), method: str = OTHER) -> Response:
    """Create the response for a fault.

    Args:
        fault: Error and era.
        reads: Reads that failed.
        method: Method that was called, if it exists.
    """
    status, body = error_reply(fault)
    operations = failed_with(method, mcp_outcome(fault.error, fault.era)[1])
    return Response(status, [*_HEADERS, *headers_for(fault.error)], body, reads, operations)


def _answered(id_: bytes, result: Result, operations: Operations) -> Response | Streaming:
    if result.stream is not None:
        return Streaming(200, sse.HEADERS, result.stream, operations)
    return _succeeded(id_, result, operations)


def _succeeded(id_: bytes, result: Result, operations: Operations) -> Response:
    if result.reading is None:
        reads = () if result.failure is None else (result.failure,)
        return Response(200, _HEADERS, reply(id_, result.body), reads, result.operations or operations)
    headers = _READ_HEADERS[result.reading.served_from]
    return Response(200, headers, reply(id_, result.body), (result.reading,), result.operations or operations)


def _failed_call(call: Call, error: RequestError, method: str = "") -> Response:
    reads: tuple[Read, ...] = ()
    if call.method == "resources/read" and isinstance(call.params.uri, str):
        reads = (failed_read(call.params.uri, error),)
    return failed(Fault(_for_client(error), call.era, call.id), reads, method or call.method)


def _for_client(error: RequestError) -> RequestError:
    """Remove suggestions from a not-found's data: the message has the nearest, both eras define `uri`."""
    if isinstance(error, ResourceNotFound) and error.data:
        return ResourceNotFound(error.message, {"uri": error.data["uri"]})
    return error
