"""Tool arguments that clients repeat in headers, for intermediaries that route by them. Pure.

A tool requests this with `x-mcp-header` in its input schema, see `described`. Headers are compared with the
arguments, as otherwise a request could be routed by one value and carried out with another.

Source: revision 2026-07-28, basic/transports/streamable-http, "Custom Headers from Tool Parameters".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from choirbook.errors import HeaderMismatch
from choirbook.http.exchange import Headers
from choirbook.mcp.protocol import mismatch

ANNOTATION = "x-mcp-header"

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SENDABLE = re.compile(r"[\t -~]*")
_WHOLE_NUMBER = re.compile(r"(-?\d{1,16})(?:\.0+)?")
_TYPES = ("string", "integer", "boolean")


class Mirror(msgspec.Struct, frozen=True):
    """One argument that has a header."""

    argument: str
    header: str


def mirrors_of(schema: Mapping[str, Any]) -> tuple[Mirror, ...]:
    """Find the arguments of a tool that have a header.

    Args:
        schema: Input schema of the tool. Arguments are flat: only its own properties are examined.

    Raises:
        ValueError: Clients would drop the tool because of a header's name or the type of its argument.
    """
    found: dict[str, Mirror] = {}
    for argument, member in schema["properties"].items():
        if ANNOTATION not in member:
            continue
        name = member[ANNOTATION]
        if not _TOKEN.fullmatch(name) or name.lower() in found:
            msg = f"{ANNOTATION} of the argument {argument} is {name!r}. It must be a token, and used once."
            raise ValueError(msg)
        if member.get("type") not in _TYPES:
            msg = f"The argument {argument} has {ANNOTATION}. Its type must be one of: {', '.join(_TYPES)}."
            raise ValueError(msg)
        found[name.lower()] = Mirror(argument, f"Mcp-Param-{name}")
    return tuple(found.values())


def check_mirrors(mirrors: Iterable[Mirror], arguments: Mapping[str, Any], headers: Headers) -> None:
    """Compare headers with the arguments that they repeat.

    Args:
        mirrors: Arguments with a header.
        arguments: As the client wrote them.
        headers: Headers of the request.

    Raises:
        HeaderMismatch: A header is missing, different, repeated, or has characters that no header may have.
    """
    for mirror in mirrors:
        values = headers.get_all(mirror.header.lower())
        fault = _compare(mirror, values, arguments.get(mirror.argument))
        if fault is not None:
            raise fault


def _compare(mirror: Mirror, values: list[str], value: Any) -> HeaderMismatch | None:
    if value is None:
        if not values:
            return None
        return HeaderMismatch(
            f"The header {mirror.header} was sent without the argument {mirror.argument}. Send both, or "
            "neither."
        )
    if not all(_SENDABLE.fullmatch(each) for each in values):
        return HeaderMismatch(f"The header {mirror.header} is not plain ASCII. Send it in the Base64 form.")
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        values = [_whole(each.strip()) for each in values]
        value = str(int(value))
    return mismatch(mirror.header, values, value)


def _whole(text: str) -> str:
    """Normalize a whole number; numbers are compared by value, `42.0` is `42`."""
    number = _WHOLE_NUMBER.fullmatch(text)
    return str(int(number[1])) if number else text
