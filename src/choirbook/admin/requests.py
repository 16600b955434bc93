"""Request bodies of the admin API: JSON -> values. Pure."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

from choirbook.errors import InvalidParams, ParseFailed
from choirbook.model import Invalidation

MAX_WAIT_S = 30.0

_MAX_REASON = 200
"""Maximum characters of the decoder's message to return: it quotes the client."""

_Body = TypeVar("_Body", bound=msgspec.Struct)


class InvalidateRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Scope of an invalidation: exactly one of the three."""

    uri: str | None = None
    type: str | None = None
    all: bool = False


class WarmRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Options of preloading."""

    wait_seconds: Annotated[float, msgspec.Meta(ge=0.0, le=MAX_WAIT_S)] = 5.0
    """Maximum time until the answer, in seconds; loading continues after it."""


class StatsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Empty body of a statistics call."""


def scope_of(raw: bytes) -> Invalidation:
    """Decode the body of an invalidation.

    Raises:
        ParseFailed: It is not JSON.
        InvalidParams: It does not name exactly one scope.
    """
    body = decode(raw, InvalidateRequest)
    if (body.uri is not None) + (body.type is not None) + body.all != 1:
        raise InvalidParams(
            'Name what to invalidate, one of: {"uri": "mcp://..."}, {"type": "pattern"}, {"all": true}.'
        )
    return Invalidation(uri=body.uri, type=body.type)


def decode(raw: bytes, kind: type[_Body]) -> _Body:
    """Decode a body; an empty one counts as an empty object.

    Raises:
        ParseFailed: It is not JSON.
        InvalidParams: It is not of this type.
    """
    try:
        return msgspec.json.decode(raw or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise InvalidParams(f"The body is invalid: {str(error)[:_MAX_REASON]}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ParseFailed(f"The body is not JSON: {str(error)[:_MAX_REASON]}.") from error
