"""Operations with the content that a probe read, for comparison with every response of the load."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from choirbook_perf.errors import BadInput
from choirbook_perf.http_client import Response
from choirbook_perf.probing.problems import problem_of
from choirbook_perf.targets import NoContent, Operation, content_of, expected_of, judge

READS = 2
"""Reads of each operation; content that differs between them cannot be compared."""


def with_content(operation: Operation, send: Callable[[Operation], Response], *, is_same: bool) -> Operation:
    """Return an operation with the content that the server has for it now.

    Args:
        operation: Operation without content.
        send: Sends it.
        is_same: Whether its content is compared in the load.

    Raises:
        BadInput: It fails.
        ServerUnreachable: The server refuses all operations.
    """
    contents = []
    for _ in range(READS if is_same else 1):
        response = send(operation)
        if problem := problem_of(response, operation.request.url):
            raise problem
        if response.url and response.url != operation.request.url:
            # The load does not follow redirects: it asks where the probe ended.
            request = operation.request._replace(url=response.url)
            operation = msgspec.structs.replace(operation, request=request)
        contents.append(_content(operation, response))
    if not is_same or contents[0] != contents[-1]:
        return operation
    return msgspec.structs.replace(operation, expected=expected_of(contents[0]))


def _content(operation: Operation, response: Response) -> bytes:
    status, headers, body, _ = response
    failure = judge(operation, status, headers, body).failure
    if not failure:
        try:
            return content_of(operation.kind, status, headers, body, is_error=operation.is_error)
        except NoContent as reason:
            failure = str(reason)
    raise BadInput(
        f"The server does not answer {operation.kind} {operation.address} ({failure}), which the scenario "
        "names. Correct the scenario, or serve a library that has it."
    )
