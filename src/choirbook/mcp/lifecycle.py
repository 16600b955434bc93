"""Lifecycle methods: `initialize` and `ping`, and `server/discover` of the modern era."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from choirbook.documents.rendering import Stamp
from choirbook.errors import Era, InvalidParams
from choirbook.mcp.protocol import Call
from choirbook.mcp.results import Feature, Method, Outcome, Result, finish
from choirbook.mcp.revisions import HANDSHAKE, NEWEST_HANDSHAKE, SERVED


class Lifecycle:
    """Reports identity and capabilities of the server.

    Args:
        features: Features whose capabilities are reported.
        pushing: Features that send unsolicited messages, which in the handshake era requires a session.
        stamp: See `Stamp`.
        instructions: Text about the server that clients may show to their model.
    """

    def __init__(
        self, features: Iterable[Feature], pushing: Iterable[Feature], stamp: Stamp, instructions: str
    ) -> None:
        self._features = tuple(features)
        self._pushing = tuple(pushing)
        self._stamp = stamp
        self._instructions = instructions

    def methods(self, era: Era) -> Mapping[str, Method]:
        """Return the methods that the feature has in an era, by name."""
        if era is Era.MODERN:
            return {"server/discover": self._discover}
        return {"initialize": self._initialize, "ping": self._ping}

    def capabilities(self, _: Era) -> Mapping[str, Any]:
        """Return nothing: it reports the capabilities of others."""
        return {}

    def _together(self, era: Era, *, can_push: bool) -> Mapping[str, Any]:
        """Return the capabilities of all features; `can_push` if unsolicited messages reach the client."""
        together: dict[str, Any] = {}
        for feature in (*self._features, *(self._pushing if can_push else ())):
            for name, value in feature.capabilities(era).items():
                together[name] = {**together.get(name, {}), **value}
        return together

    def _initialize(self, call: Call) -> Outcome:
        requested = call.params.protocol_version
        if requested is UNSET:
            raise InvalidParams("initialize needs the parameter protocolVersion.")
        result = {
            "protocolVersion": requested if requested in HANDSHAKE else NEWEST_HANDSHAKE,
            "capabilities": self._together(call.era, can_push=call.session is not None),
            "serverInfo": self._stamp.server_info,
            "instructions": self._instructions,
        }
        return Result(msgspec.json.encode(result))

    def _ping(self, _: Call) -> Outcome:
        return Result(b"{}")

    def _discover(self, call: Call) -> Outcome:
        members = {
            "supportedVersions": SERVED,
            "capabilities": self._together(call.era, can_push=True),
            "instructions": self._instructions,
        }
        return finish(msgspec.json.encode(members)[1:-1], call.era, self._stamp)
