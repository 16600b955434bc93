"""Failures of calls to Redis, distinguished only by their consequences. Pure.

Callers handle `RedisCallError`, and metrics count by `Reason`; neither needs to know the client library, nor
the connection that maps its errors.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """Reason why a call failed: a closed set, as it becomes a label."""

    TIMEOUT = "timeout"
    SLOW = "slow"
    """All answers are slow, not just one late answer."""
    CONNECTION = "connection"
    AUTH = "auth"
    PERMISSION = "permission"
    """The user of Redis may not run this command; others may be allowed."""
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
"""All commands that Choirbook sends, scripts included; docs/deploying.md has the list for operators."""


class RedisCallError(Exception):
    """A failed call; its text may be logged."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason
