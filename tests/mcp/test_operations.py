"""Operations reported to observers: the response names the messages carried out, and the reads."""

from __future__ import annotations

from typing import Any

import pytest

from choirbook.http.exchange import FailedRead, Operation, Response
from choirbook.mcp.operations import NOTIFICATIONS, OTHER
from choirbook.model import Reading
from tests.support.apps import Served
from tests.support.mcp import handshake_message
from tests.support.streaming import answered
from tests.support.trees import CORE_URI


async def told(served: Served, value: Any, **headers: str) -> Response:
    response = await answered(served, "POST", value, **headers)
    assert isinstance(response, Response)
    return response


@pytest.mark.parametrize("method", [*NOTIFICATIONS, "notifications/other"])
async def test_a_notification_is_told_of_by_its_name_if_there_is_one(served: Served, method: str) -> None:
    response = await told(served, {"jsonrpc": "2.0", "method": method})
    known = method if method in NOTIFICATIONS else OTHER
    assert (response.status, response.operations) == (202, (Operation(known),))


async def test_every_message_of_a_batch_is_told_of(served: Served) -> None:
    batch = [
        handshake_message("ping", 1),
        handshake_message("resources/read", 2, uri=CORE_URI),
        handshake_message("resources/read", 3, uri=f"{CORE_URI}x"),
        handshake_message("invented", 4),
    ]
    response = await told(served, batch, mcp_protocol_version="2025-03-26")
    names = [(each.method, bool(each.error)) for each in response.operations]
    expected = [("ping", False), ("resources/read", False), ("resources/read", True), (OTHER, True)]
    assert names == expected
    assert [type(read) for read in response.reads] == [Reading, FailedRead]


async def test_a_batch_of_notifications_is_told_of_too(served: Served) -> None:
    batch = [{"jsonrpc": "2.0", "method": "notifications/initialized"}] * 2
    response = await told(served, batch, mcp_protocol_version="2025-03-26")
    assert (response.status, response.body) == (202, b"")
    assert response.operations == (Operation("notifications/initialized"),) * 2


async def test_a_method_that_is_not_there_is_told_of_without_its_name(served: Served) -> None:
    response = await told(served, handshake_message("x" * 100))
    (operation,) = response.operations
    assert (operation.method, operation.tool) == (OTHER, "")
    assert operation.error
    assert response.reads == ()


async def test_a_read_that_fails_is_told_of_with_the_uri_that_was_asked_for(served: Served) -> None:
    response = await told(served, handshake_message("resources/read", uri=f"{CORE_URI}x"))
    (read,) = response.reads
    assert isinstance(read, FailedRead)
    assert (read.uri, read.reason) == (f"{CORE_URI}x", "ResourceNotFound")
