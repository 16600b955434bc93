"""How a call to Redis may fail, told apart no further than by what follows from it. Pure.

Those who ask handle `LinkError`, and those who count have a `Reason`; neither has to know the client library,
nor the link that makes one of the other.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """Why a call failed: a closed set, as it becomes a label."""

    TIMEOUT = "timeout"
    SLOW = "slow"
    """Not one answer that is late, but that all are."""
    CONNECTION = "connection"
    AUTH = "auth"
    PERMISSION = "permission"
    """The user of Redis may not do this; others of its commands may be allowed."""
    LOADING = "loading"
    READ_ONLY = "read_only"
    FULL = "full"
    PROTOCOL = "protocol"
    REPLY = "reply"
    CORRUPT = "corrupt"
    OPEN = "open"


HARMLESS: Final = frozenset(
    {Reason.PERMISSION, Reason.READ_ONLY, Reason.FULL, Reason.REPLY, Reason.CORRUPT, Reason.OPEN}
)
"""Failures of one command, after which the next one may well succeed."""


COMMANDS: Final = (
    "AUTH",
    "EVAL",
    "GETRANGE",
    "HELLO",
    "PING",
    "PUBLISH",
    "SELECT",
    "SET",
    "SUBSCRIBE",
    "TIME",
    "UNLINK",
)
"""All that Choirbook sends, scripts included; docs/deploying.md has the list for operators."""


class LinkError(Exception):
    """A call that failed; its text may be logged."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason
