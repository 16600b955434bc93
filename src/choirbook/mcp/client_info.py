"""Client names and versions in messages: `clientInfo`, wherever each era puts it. Pure."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from choirbook.mcp.messages import CLIENT_INFO

MAX_CHARACTERS = 256
"""Maximum characters kept of a name, and of a version: clients decide how long they are."""


class Introduction(NamedTuple):
    """A client's name and version as it wrote them, truncated."""

    name: str
    version: str


class _Info(msgspec.Struct, frozen=True, gc=False):
    name: str = ""
    version: str = ""


class _IntroducingMeta(msgspec.Struct, frozen=True, gc=False):
    info: _Info | None = msgspec.field(default=None, name=CLIENT_INFO)


class _IntroducingParams(msgspec.Struct, frozen=True, gc=False):
    info: _Info | None = msgspec.field(default=None, name="clientInfo")
    meta: _IntroducingMeta = msgspec.field(default=_IntroducingMeta(), name="_meta")


class _IntroducingMessage(msgspec.Struct, frozen=True, gc=False):
    params: _IntroducingParams = _IntroducingParams()


_decoder = msgspec.json.Decoder(_IntroducingMessage)


def introduced(message: bytes) -> Introduction | None:
    """Return the name and version of the client that sent a message.

    Source: `_meta` of any request in revision 2026-07-28, the parameters of `initialize` before it.

    Args:
        message: As it was sent.

    Returns:
        None if the message has none, or they are malformed.
    """
    try:
        params = _decoder.decode(message).params
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    info = params.meta.info or params.info
    if info is None or not info.name:
        return None
    return Introduction(info.name[:MAX_CHARACTERS], info.version[:MAX_CHARACTERS])
