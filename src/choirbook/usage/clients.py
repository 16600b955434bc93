"""Names of clients, as they state them: never trusted, always short, always printable. Pure."""

from __future__ import annotations

import re

import msgspec

from choirbook.text.escapes import escaped

MAX_CHARACTERS = 64
"""Maximum length of a name, and of a version, in characters: clients decide how long they are."""

MAX_CLIENTS = 1000
"""Maximum number of distinct clients; further ones are `OTHER`, as clients can invent names without end."""

_MAX_STATED = 4 * MAX_CHARACTERS
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 # RFC 9110's word for it
_PRODUCT = re.compile(rf"({_TOKEN})(?:/({_TOKEN}))?")


class Client(msgspec.Struct, frozen=True, gc=False):
    """A client's name and version, safe to show anywhere but in markup; the version may be empty."""

    name: str
    version: str = ""


UNKNOWN = Client("unknown")
"""Clients without a name, or with a malformed one."""

OTHER = Client("other")
"""Clients beyond `MAX_CLIENTS`."""


def named(name: str, version: str) -> Client:
    """Create a client from `clientInfo` of an MCP client, of any length and content."""
    shown = printable(name, MAX_CHARACTERS)
    return Client(shown, printable(version, MAX_CHARACTERS)) if shown else UNKNOWN


def of_user_agent(text: str) -> Client:
    """Create a client from a `User-Agent`: the first product in it (RFC 9110, section 10.1.5)."""
    product = _PRODUCT.match(text[:_MAX_STATED].lstrip())
    return UNKNOWN if product is None else named(product[1], product[2] or "")


def printable(text: str, max_characters: int) -> str:
    """Return the beginning of a text on one line, with invisible characters escaped.

    Args:
        text: Text that a client sent.
        max_characters: Maximum length of the result.
    """
    words = " ".join(text[: 4 * max_characters].split())
    return escaped(words)[:max_characters]
