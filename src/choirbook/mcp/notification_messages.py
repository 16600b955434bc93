"""Unsolicited messages of the server: JSON texts of notifications, and of the end of a subscription. Pure.

In the modern era each carries the id of its subscription, which is the id of the request that opened it
(revision 2026-07-28, basic/patterns/subscriptions); in the handshake era none does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from choirbook.mcp.protocol import reply

_SUBSCRIPTION_ID = b'"_meta":{"io.modelcontextprotocol/subscriptionId":'


def updated(uri: str, id_: bytes | None) -> bytes:
    """Build the notification that a resource changed.

    Args:
        uri: As the client subscribed to it.
        id_: The subscription's id as raw JSON; None in the handshake era.
    """
    member = b'"uri":' + msgspec.json.encode(uri)
    return _notification(b"notifications/resources/updated", member, id_)


def list_changed(id_: bytes | None) -> bytes:
    """Build the notification that resources were added or removed; `id_` is that of `updated`."""
    return _notification(b"notifications/resources/list_changed", b"", id_)


def acknowledged(honoured: Mapping[str, Any], id_: bytes) -> bytes:
    """Build the notification of which part of a subscription is honoured."""
    member = b'"notifications":' + msgspec.json.encode(honoured)
    return _notification(b"notifications/subscriptions/acknowledged", member, id_)


def completed(id_: bytes) -> bytes:
    """Build the reply to the request that opened a subscription: it has ended normally."""
    return reply(id_, b'{"resultType":"complete",' + _SUBSCRIPTION_ID + id_ + b"}}")


def cancelled(id_: bytes) -> bytes:
    """Build the notification of an ended subscription for pipes (basic/patterns/cancellation)."""
    return b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":' + id_ + b"}}"


def _notification(method: bytes, member: bytes, id_: bytes | None) -> bytes:
    members = [member] if member else []
    if id_ is not None:
        members.insert(0, _SUBSCRIPTION_ID + id_ + b"}")
    params = b',"params":{' + b",".join(members) + b"}" if members else b""
    return b'{"jsonrpc":"2.0","method":"' + method + b'"' + params + b"}"
