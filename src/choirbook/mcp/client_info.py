"""Client names and versions in messages: `clientInfo`, wherever each era puts it. Pure."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from choirbook.mcp.messages import CLIENT_INFO

MAX_CHARACTERS = 256
"""Maximum characters kept of a name, and of a version: clients decide how long they are."""


class ClientInfo(NamedTuple):
    """A client's name and version as it wrote them, truncated."""

    name: str
    version: str


class _Info(msgspec.Struct, frozen=True, gc=False):
    name: str = ""
    version: str = ""


class _ClientInfoMeta(msgspec.Struct, frozen=True, gc=False):
    info: _Info | None = msgspec.field(default=None, name=CLIENT_INFO)


class _ClientInfoParams(msgspec.Struct, frozen=True, gc=False):
    info: _Info | None = msgspec.field(default=None, name="clientInfo")
    meta: _ClientInfoMeta = msgspec.field(default=_ClientInfoMeta(), name="_meta")


class _ClientInfoMessage(msgspec.Struct, frozen=True, gc=False):
    params: _ClientInfoParams = _ClientInfoParams()


_decoder = msgspec.json.Decoder(_ClientInfoMessage)


def client_info_of(message: bytes) -> ClientInfo | None:
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
    return ClientInfo(info.name[:MAX_CHARACTERS], info.version[:MAX_CHARACTERS])
