"""Query parameters of a request. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from choirbook.errors import InvalidParams
from choirbook.http.exchange import Request

MAX_QUERY_FIELDS = 16


def fields_of(request: Request) -> dict[str, str]:
    """Return the parameters by name; of a repeated one, the last counts.

    Raises:
        InvalidParams: The query is malformed, not UTF-8, or has too many parameters.
    """
    return fields_in(request.query)


def fields_in(query: str) -> dict[str, str]:
    """Return the parameters of a query string; see `fields_of`."""
    try:
        pairs = parse_qsl(
            query,
            keep_blank_values=True,
            max_num_fields=MAX_QUERY_FIELDS,
            errors="strict",
        )
    except (ValueError, UnicodeDecodeError):
        raise InvalidParams("The query is malformed, not UTF-8, or has too many fields.") from None
    return dict(pairs)


def limit_of(fields: Mapping[str, str], default: int, maximum: int) -> int:
    """Return the parameter `limit`.

    Raises:
        InvalidParams: It is not a number from 1 to the maximum.
    """
    text = fields.get("limit")
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= maximum:
        raise InvalidParams(f"The query's limit is {text[:16]!r}. It can be a number from 1 to {maximum}.")
    return int(text)
