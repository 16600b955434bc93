"""What a client says of itself in a message: `clientInfo`, in the place that each era has for it. Pure."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from choirbook.mcp.messages import CLIENT_INFO

MAX_CHARACTERS = 256
"""Kept of a name, and of a version: clients decide how long they are."""


class Introduction(NamedTuple):
    """A client's name and version as it wrote them, cut."""

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
    """Return what the client that sent a message says of itself.

    Source: `_meta` of any request in revision 2026-07-28, the parameters of `initialize` before it.

    Args:
        message: As it was sent.

    Returns:
        None when it says nothing, or nothing that can be understood.
    """
    try:
        params = _decoder.decode(message).params
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    info = params.meta.info or params.info
    if info is None or not info.name:
        return None
    return Introduction(info.name[:MAX_CHARACTERS], info.version[:MAX_CHARACTERS])
