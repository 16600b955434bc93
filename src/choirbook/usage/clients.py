"""Who reads, as the client itself states it: never trusted, always short, always printable. Pure."""

from __future__ import annotations

import re

import msgspec

from choirbook.text.escapes import escaped

MAX_CHARACTERS = 64
"""Of a name, and of a version: more is no name, and clients decide how long it is."""

MAX_CLIENTS = 1000
"""Told apart; further ones are `OTHER`. Clients can invent names without end."""

_MAX_STATED = 4 * MAX_CHARACTERS
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 # RFC 9110's word for it
_PRODUCT = re.compile(rf"({_TOKEN})(?:/({_TOKEN}))?")


class Client(msgspec.Struct, frozen=True, gc=False):
    """A client's name and version, fit to be shown anywhere but in markup; the version may be empty."""

    name: str
    version: str = ""


UNKNOWN = Client("unknown")
"""Those that state nothing, or nothing that could be read."""

OTHER = Client("other")
"""Those beyond `MAX_CLIENTS`."""


def named(name: str, version: str) -> Client:
    """Make a client of what an MCP client says of itself (`clientInfo`), of any length and content."""
    shown = printable(name, MAX_CHARACTERS)
    return Client(shown, printable(version, MAX_CHARACTERS)) if shown else UNKNOWN


def of_user_agent(text: str) -> Client:
    """Make a client of a `User-Agent`: the first product in it (RFC 9110, section 10.1.5)."""
    product = _PRODUCT.match(text[:_MAX_STATED].lstrip())
    return UNKNOWN if product is None else named(product[1], product[2] or "")


def printable(text: str, max_characters: int) -> str:
    """Return the beginning of a text on one line, what cannot be seen in it spelled as escapes.

    Args:
        text: Whatever a client sent.
        max_characters: How long the outcome may be.
    """
    words = " ".join(text[: 4 * max_characters].split())
    return escaped(words)[:max_characters]
