"""Choice of the era of MCP by what a server says of itself. Pure.

A server of either era may be asked `server/discover` first. The modern era is chosen only if the server names
its revision: the official Go SDK answers the question also where it serves the handshake era only.
Source: MCP 2026-07-28, basic/versioning.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from choirbook_perf.targets import HANDSHAKE_VERSION, MODERN_VERSION, Reply

MODERN, HANDSHAKE = "modern", "handshake"
HANDSHAKE_VERSIONS = (HANDSHAKE_VERSION, "2025-06-18", "2025-03-26", "2024-11-05")
"""Revisions of the handshake era, newest first."""

_UNSUPPORTED_VERSION = -32022


class Discovered(NamedTuple):
    """A server's answer to `server/discover`."""

    era: str
    """`modern`, `handshake`, or "" if the server supports neither."""
    versions: tuple[str, ...] = ()
    """Supported revisions, empty if the server does not say."""

    @property
    def handshake_version(self) -> str:
        """Revision to ask for in a handshake."""
        return next((each for each in HANDSHAKE_VERSIONS if each in self.versions), HANDSHAKE_VERSION)


class _Discovery(msgspec.Struct, frozen=True, rename="camel"):
    supported_versions: list[str]


class _Unsupported(msgspec.Struct, frozen=True):
    supported: list[str]


def discovered(reply: Reply | None) -> Discovered:
    """Return what a reply to `server/discover` says; no reply, or another error, means the handshake era."""
    versions = _versions(reply) if reply is not None else None
    if versions is None:
        return Discovered(HANDSHAKE)
    if MODERN_VERSION in versions:
        return Discovered(MODERN, versions)
    is_known = any(each in versions for each in HANDSHAKE_VERSIONS)
    return Discovered(HANDSHAKE if is_known else "", versions)


def _versions(reply: Reply) -> tuple[str, ...] | None:
    try:
        if bytes(reply.result):
            return tuple(msgspec.json.decode(reply.result, type=_Discovery).supported_versions)
        if reply.error is not None and reply.error.code == _UNSUPPORTED_VERSION:
            return tuple(msgspec.json.decode(reply.error.data, type=_Unsupported).supported)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass  # the server does not say
    return None
